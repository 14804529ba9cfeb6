"""What PHP makes of values that come in, and how it writes those that go out."""

import re
from html import escape
from typing import Any

from deskwire.html import clean_text
from gateway.api.fields import LARGEST_ID

_NUMBER = re.compile(r"[ \t\n\r\v\f]*([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)")
_TAG = re.compile(r"<[!/?a-zA-Z][^>]*>?")


def integer(value: Any) -> int:
    """As intval: the number at the beginning, else 0. What is negative is -1, and no id."""
    return int(max(-1.0, min(LARGEST_ID, number(value))))


def number(value: Any) -> float:
    """As floatval; a list is 0 here."""
    if isinstance(value, bool | int | float):
        return float(value)
    found = _NUMBER.match(value) if isinstance(value, str) else None
    return float(found[1]) if found else 0.0


def is_numeric(value: Any) -> bool:
    """As is_numeric, of texts."""
    if not isinstance(value, str):
        return isinstance(value, int | float) and not isinstance(value, bool)
    found = _NUMBER.match(value)
    return found is not None and not value[found.end() :].strip()


def text(value: Any) -> str:
    """A scalar as a text; what is none is an empty one."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else ""


def plain(value: Any) -> str:
    """As strip_tags and trim."""
    return _TAG.sub("", text(value)).strip()


def line(value: Any) -> str:
    """As `plain`, each run of blanks one space: what we keep in a line of its own."""
    return " ".join(plain(value).split())


def is_empty(value: str) -> bool:
    """As empty: to PHP "0" is as good as nothing."""
    return value in ("", "0")


def time(at: str | None) -> str | None:
    """RFC 3339 in UTC to ``YYYY-MM-DD HH:MM:SS``."""
    return at and f"{at[:10]} {at[11:19]}"


def duration(seconds: int) -> str:
    """As MySQL's TIME, which ends at 838:59:59."""
    seconds = min(seconds, 838 * 3600 + 3599)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def html(body: Any) -> str:
    """A body as HTML."""
    found: str | None = body["html"]
    return found if found is not None else escape(body["text"], quote=False).replace("\n", "<br>\n")
