"""Makes text and HTML from outside harmless, in time that grows with its length only.

HTML parsers need quadratic time for deeply nested input (500 kB of ``<div>`` take half a minute),
so anything with more than a few tags is first flattened by a linear scan of our own.
"""

import re
from collections.abc import Iterator
from html import escape, unescape

import nh3
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

MAX_HTML = 1024 * 1024
MAX_TAGS = 50_000
MAX_DEPTH = 256
MAX_PLAIN = 4 * MAX_HTML

_NEVER_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]+")
_ANY_HTML = re.compile(
    r"<(?:!doctype html|/?(?:html|head|body|div|p|br|span|a|b|i|u|em|strong|ul|ol|li|table|tr|td|"
    r"h[1-6]|img|font|pre|hr|blockquote)(?=[\s/>]))",
    re.IGNORECASE,
)

_DATA = re.compile(r"data:[^\s\"'<>)]*")
_TAGS = nh3.ALLOWED_TAGS - {"area", "map"} | {"tfoot"}
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_CONTENT_DROPPED = {"script", "style", "title", "template", "iframe", "noembed", "noframes"}


def clean_text(s: str) -> str:
    """Drop what PostgreSQL, JSON or a mail header cannot hold: NUL, lone surrogates, controls."""
    return _NEVER_TEXT.sub("", s)


def looks_like_html(s: str) -> bool:
    return _ANY_HTML.search(s, 0, 65_536) is not None


def too_large(html: str) -> bool:
    """Whether `clean_html` would keep the text alone."""
    return len(html) > MAX_HTML or html.count("<") > MAX_TAGS


def without_data(html: str) -> str:
    """Without the pictures written into it, which the cleaner drops anyway but count as size."""
    return _DATA.sub("", html) if len(html) > MAX_HTML else html


def clean_html(html: str) -> str:
    """Keep harmless markup only: no script, no style, no image that is fetched from elsewhere."""
    slim = without_data(clean_text(html))
    if too_large(slim):
        return html_of(_crude_text_of(slim))
    return _CLEANER.clean(_flattened(slim))


def text_of(html: str) -> str:
    """The text a reader would see, with its lines, list items and paragraphs."""
    slim = without_data(clean_text(html))
    if too_large(slim):
        return _crude_text_of(slim)
    body = LexborHTMLParser(_flattened(slim), options=LexborDocumentOptions.WO_EVENTS).body
    return _laid_out("".join(_pieces(body))) if body else ""


def _crude_text_of(html: str) -> str:
    return clean_text(" ".join(unescape(_TOKEN.sub(" ", html[:MAX_PLAIN])).split()))


def html_of(text: str) -> str:
    """Plain text as paragraphs."""
    return "".join(f"<p>{escape(p).replace(chr(10), '<br>')}</p>" for p in text.split("\n\n") if p)


# --- cleaning


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not value.strip().lower().startswith("cid:"):
        return None
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=_CONTENT_DROPPED,
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    attribute_filter=_attribute,
    link_rel="noopener noreferrer",
)


# --- flattening

_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    rf"|<(?P<raw>{'|'.join(sorted(_CONTENT_DROPPED))})\b[^<>]*>.*?(?:</(?P=raw)[^<>]*>?|\Z)"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][^\s<>/]*)(?P<attributes>[^<>]*)>"
    r"|<[!?/][^<>]*>"
    r"|(?P<stray><+(?=<)|<)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([a-zA-Z]{1,20})\s*=\s*("[^"]*"|'[^']*'|[^\s"']+)""")
_CELL = frozenset({"td", "th", "p"})
_ENDED_BY = {
    "p": frozenset({"p"}),
    "li": frozenset({"li", "p"}),
    "dt": frozenset({"dt", "dd", "p"}),
    "dd": frozenset({"dt", "dd", "p"}),
    "td": _CELL,
    "th": _CELL,
    "tr": _CELL | {"tr"},
    "tbody": _CELL | {"tr", "tbody", "thead"},
}
_SIMPLE = 100


def _flattened(html: str) -> str:
    """Balanced markup of known tags, at most `MAX_DEPTH` deep; what is deeper loses its tags only.

    Its output is canonical, so that no parser can see another nesting in it than was counted.
    """
    return html if html.count("<") <= _SIMPLE else "".join(_balanced(html))


def _balanced(html: str) -> Iterator[str]:
    open_tags: list[str] = []
    end = 0
    for token in _TOKEN.finditer(html):
        yield html[end : token.start()]
        end = token.end()
        if token["stray"]:
            yield escape(token["stray"])
        name = (token["name"] or "").lower()
        if name in _TAGS:
            yield from _closed(name, open_tags) if token["close"] else _opened(token, open_tags)
    yield html[end:]
    yield from (f"</{name}>" for name in reversed(open_tags))


def _opened(token: re.Match[str], open_tags: list[str]) -> Iterator[str]:
    name = token["name"].lower()
    ended = _ENDED_BY.get(name, frozenset())
    while open_tags and open_tags[-1] in ended:
        yield f"</{open_tags.pop()}>"
    if name in _VOID:
        yield f"<{name}{_attributes(token['attributes'])}>"
    elif len(open_tags) < MAX_DEPTH:
        open_tags.append(name)
        yield f"<{name}{_attributes(token['attributes'])}>"


def _closed(name: str, open_tags: list[str]) -> Iterator[str]:
    if name not in open_tags:
        return
    while (innermost := open_tags.pop()) != name:
        yield f"</{innermost}>"
    yield f"</{name}>"


def _attributes(source: str) -> str:
    pairs = ((m[1], m[2]) for m in _ATTRIBUTE.finditer(source[:16_384]))
    return "".join(f' {name}="{_unquoted(value)}"' for name, value in pairs)


def _unquoted(value: str) -> str:
    inner = value[1:-1] if value[0] in "\"'" else value
    return inner.replace('"', "&quot;")


# --- laying out

# Marks between the pieces of text; `clean_text` has made sure that the text has none of them.
_LINE, _PARAGRAPH, _SPACE, _BULLET = "\x01", "\x02", "\x03", "\x04"

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
_UNSEEN = _CONTENT_DROPPED | {"head", "-comment", "-doctype", "object", "svg", "math", "select"}

_BLANKS = re.compile(r"[ \t\n\r\xa0]+")
_ITEM_START = re.compile(f"{_BULLET}[ {_LINE}{_PARAGRAPH}]*")
_RUN = re.compile(f"[ {_LINE}{_PARAGRAPH}\n]*[{_LINE}{_PARAGRAPH}\n][ {_LINE}{_PARAGRAPH}\n]*")


def _pieces(body: LexborNode) -> Iterator[str]:
    pending: list[tuple[LexborNode | str, bool]] = [(body, False)]
    while pending:
        node, preformatted = pending.pop()
        if isinstance(node, str):
            yield node
        elif node.tag == "-text":
            yield _text(node, keep_lines=preformatted)
        elif (tag := node.tag or "") not in _UNSEEN:
            yield _before(tag, node)
            pending.append((_after(tag), False))
            pending.extend((child, preformatted or tag == "pre") for child in _children(node))


def _children(node: LexborNode) -> Iterator[LexborNode]:
    """Last first, as they are put on a stack."""
    child = node.last_child
    while child is not None:
        yield child
        child = child.prev


def _text(node: LexborNode, *, keep_lines: bool) -> str:
    text = node.text_content or ""
    return text.replace(" ", _SPACE) if keep_lines else _BLANKS.sub(" ", text)


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
