"""Makes text and HTML from outside harmless, in time that grows with its length only.

HTML parsers need quadratic time for deeply nested input (500 kB of ``<div>`` take half a minute),
so anything with more than a few tags is first flattened by a linear scan of our own.
"""

import re
from collections.abc import Iterator
from html import escape, unescape

import nh3
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser, LexborNode

from deskwire.layout import NEVER_SEEN, lay_out

MAX_HTML = 1024 * 1024
MAX_TAGS = 50_000
MAX_AMPERSANDS = 50_000
"""The cleaner copies the text that it has so far at each."""

MAX_DEPTH = 256
MAX_PLAIN = 4 * MAX_HTML

BLOCKED_IMAGE = "data:image/gif;base64,R0lGODlhAQABAIAAAMzMzAAAACwAAAAAAQABAAACAkQBADs="
"""A grey dot in the place of a picture that would be fetched, and tell its server who reads."""

_NEVER_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]+")
_ANY_HTML = re.compile(
    r"<(?:!doctype html|/?(?:html|head|body|div|p|br|span|a|b|i|u|em|strong|ul|ol|li|table|tr|td|"
    r"h[1-6]|img|font|pre|hr|blockquote)(?=[\s/>]))",
    re.IGNORECASE,
)

_DATA = re.compile(r"data:[^\s\"'<>)]*")
_TAGS = nh3.ALLOWED_TAGS - {"area", "map"} | {"tfoot"}
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})


def clean_text(s: str) -> str:
    """Drop what PostgreSQL, JSON or a mail header cannot hold: NUL, lone surrogates, controls."""
    return s if s.isprintable() else _NEVER_TEXT.sub("", s)  # most are: a tenth of the time


def looks_like_html(s: str) -> bool:
    return _ANY_HTML.search(s, 0, 65_536) is not None


def too_large(html: str) -> bool:
    """Whether `clean_html` would keep the text alone."""
    crowded = html.count("<") > MAX_TAGS or html.count("&") > MAX_AMPERSANDS
    return crowded or len(html) > MAX_HTML


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
    body = parsed(slim)
    return lay_out(body).text if body else ""


def parsed(html: str) -> LexborNode | None:
    """The body of HTML that is not `too_large`, as a tree of bounded depth."""
    return LexborHTMLParser(_flattened(html), options=LexborDocumentOptions.WO_EVENTS).body


def _crude_text_of(html: str) -> str:
    return clean_text(" ".join(unescape(_TOKEN.sub(" ", html[:MAX_PLAIN])).split()))


def html_of(text: str) -> str:
    """Plain text as paragraphs."""
    return "".join(f"<p>{escape(p).replace(chr(10), '<br>')}</p>" for p in text.split("\n\n") if p)


# --- cleaning


def _attribute(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not value.strip().lower().startswith("cid:"):
        return BLOCKED_IMAGE
    return value


_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    clean_content_tags=set(NEVER_SEEN),
    url_schemes={"http", "https", "mailto", "tel", "cid"},
    attribute_filter=_attribute,
    link_rel="noopener noreferrer",
)


# --- flattening

_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)"
    rf"|<(?P<raw>{'|'.join(sorted(NEVER_SEEN))})\b[^<>]*>.*?(?:</(?P=raw)[^<>]*>?|\Z)"
    r"|<(?P<close>/?)(?P<name>[a-zA-Z][^\s<>/]*+)(?P<attributes>[^<>]*+)>"
    r"|<[!?/][^<>]*>"
    r"|(?P<stray><+(?=<)|<)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"""([a-zA-Z][a-zA-Z-]{0,29})\s*=\s*("[^"]*"|'[^']*'|[^\s"']+)""")
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
