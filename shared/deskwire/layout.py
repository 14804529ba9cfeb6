"""Lays an HTML tree out as text: the lines, list items and paragraphs that a reader would see."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from selectolax.lexbor import LexborNode

NEVER_SEEN = frozenset({"script", "style", "title", "template", "iframe", "noembed", "noframes"})
"""Elements of which nothing is ever shown."""

# Marks between the pieces of text, which has none of them.
_LINE, _PARAGRAPH, _SPACE, _BULLET, _LEAF = "\x01", "\x02", "\x03", "\x04", "\x05"
_MARKS = re.compile("[\x00-\x08]+")

_LINES = frozenset(
    {
        "section",
        "ol",
        "fieldset",
        "hr",
        "nav",
        "tfoot",
        "figcaption",
        "html",
        "main",
        "figure",
        "aside",
        "ul",
        "footer",
        "summary",
        "dl",
        "dd",
        "dt",
        "details",
        "article",
        "form",
        "tbody",
        "div",
        "blockquote",
        "tr",
        "caption",
        "thead",
        "address",
        "center",
        "table",
        "body",
        "header",
    }
)
_PARAGRAPHS = frozenset({"p", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
_UNSEEN = NEVER_SEEN | {"head", "-comment", "-doctype", "object", "svg", "math", "select"}

_BLANKS = re.compile(r"[ \t\n\r\xa0]+")
_ITEM_START = re.compile(f"{_BULLET}[ {_LINE}{_PARAGRAPH}]*")
_RUN = re.compile(f"[ {_LINE}{_PARAGRAPH}\n]*[{_LINE}{_PARAGRAPH}\n][ {_LINE}{_PARAGRAPH}\n]*")


@dataclass(frozen=True, slots=True)
class Layout:
    """``leaves`` are the text nodes with something to read in them, each with its place in it."""

    text: str
    leaves: tuple[tuple[int, LexborNode], ...]


def lay_out(body: LexborNode) -> Layout:
    """In one pass: each leaf leaves a mark before its first letter, which is then taken out."""
    leaves: list[LexborNode] = []
    parts = _laid_out("".join(_pieces(body, leaves))).split(_LEAF)
    offsets = accumulate(map(len, parts[:-1]))
    return Layout("".join(parts), tuple(zip(offsets, leaves, strict=True)))


def _pieces(body: LexborNode, leaves: list[LexborNode]) -> Iterator[str]:
    pending: list[tuple[LexborNode | str, bool]] = [(body, False)]
    while pending:
        node, preformatted = pending.pop()
        if isinstance(node, str):
            yield node
        elif node.tag == "-text":
            text = _text(node, keep_lines=preformatted)
            first = len(text) - len(text.lstrip())
            if first < len(text):
                leaves.append(node)
                text = f"{text[:first]}{_LEAF}{text[first:]}"
            yield text if not preformatted else text.replace(" ", _SPACE)
        elif (tag := node.tag or "") not in _UNSEEN:
            yield _before(tag, node)
            pending.append((_after(tag), False))
            pending.extend((child, preformatted or tag == "pre") for child in children(node))


def children(node: LexborNode) -> Iterator[LexborNode]:
    """Last first, as they are put on a stack."""
    child = node.last_child
    while child is not None:
        yield child
        child = child.prev


def _text(node: LexborNode, *, keep_lines: bool) -> str:
    text = _MARKS.sub("", node.text_content or "")
    return text if keep_lines else _BLANKS.sub(" ", text)


def _before(tag: str, node: LexborNode) -> str:
    match tag:
        case "br":
            return "\n"
        case "li":
            return _LINE + _BULLET
        case "img":
            return node.attributes.get("alt") or ""
        case "td" | "th":
            return " "
    return _after(tag)


def _after(tag: str) -> str:
    if tag in _PARAGRAPHS:
        return _PARAGRAPH
    return _LINE if tag in _LINES or tag == "li" else ""


def _laid_out(marked: str) -> str:
    items = _ITEM_START.sub(f"-{_SPACE}", re.sub(" +", " ", marked))
    return _RUN.sub(_breaks, items).replace(_SPACE, " ").strip()


def _breaks(run: re.Match[str]) -> str:
    """A ``<br>`` ends the line it is on, but after the end of a block it is an empty line."""
    marks = run[0].replace(" ", "")
    if _PARAGRAPH in marks:
        return "\n\n"
    return "\n" * min(2, max(1, marks.count("\n") + marks.startswith(_LINE)))
