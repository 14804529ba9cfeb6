"""What the bodies of requests are made of: cleaned text, ids, addresses."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, get_args

from babel.core import get_global
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import core_schema

from deskwire.contracts.base import INLINE_TEXT_BYTES
from deskwire.contracts.mail import Body
from deskwire.html import clean_html, clean_text, looks_like_html, text_of
from deskwire.pictures import URL
from deskwire.timezones import time_zones

Value = TypeVar("Value")

LARGEST_ID = 2**53 - 1
"""The largest integer that every JSON parser keeps exactly (RFC 8259 section 6)."""

A_YEAR = 366 * 24
"""In hours."""

_RUN = re.compile(r"(javascript|data|vbscript):", re.IGNORECASE)
_BLANKS = re.compile(r"\s+")
_NOTHING = re.compile(r"(\s|&nbsp;|</?(p|div|br|span)\b[^<>]*>)*+", re.IGNORECASE)
_PICTURE = re.compile(
    rf"""(<img\b[^<>]{{0,1000}}?\ssrc=["']){URL.format("([0-9]{1,16})")}(?=["'])""", re.IGNORECASE
)
_CLEAN_PICTURE = re.compile(r'(?<=\ssrc=")cid:attachment-([0-9]{1,16})(?=")')
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])")
_ADDRESS = re.compile(r"[^@\s,;:<>()\"\[\]]+@[^@\s,;:<>()\"\[\]]+")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a text must look like, in words too: pydantic would answer with the pattern."""

    pattern: str
    means: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"pattern": self.pattern, "x-means": self.means}

    def _check(self, text: str) -> str:
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"must be {self.means}")
        return text


class RequestBody(BaseModel):
    """A field that is not known is refused. Numbers and truth are those of JSON: 5.0 is 5, 0 is not
    false."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _as_json(cls, values: Any) -> Any:
        return (
            {n: cls._value(n, v) for n, v in values.items()} if isinstance(values, dict) else values
        )

    @classmethod
    def _value(cls, name: str, value: Any) -> Any:
        field = cls.model_fields.get(name)
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        if bool in kinds and not isinstance(value, bool | None):
            return [value]  # pydantic takes 0, 1, "yes" and others for truth, but no list
        return [_whole(each) for each in value] if isinstance(value, list) else _whole(value)


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def one_line(text: str) -> str:
    """Without control characters, each run of blanks one space. Raises `ValueError` when empty."""
    line = _BLANKS.sub(" ", clean_text(text)).strip()
    if not line:
        raise ValueError("must not be empty")
    return line


def not_empty(text: str) -> str:
    """Nor what an editor leaves of a text that was deleted, such as ``<p><br></p>``."""
    cleaned = clean_text(text)
    if _NOTHING.fullmatch(cleaned):
        raise ValueError("must not be empty")
    return cleaned


def address(text: str) -> str:
    """Raises `ValueError` unless it looks like a mailbox of RFC 5322 without a display name."""
    cleaned = clean_text(text).strip()
    if not _ADDRESS.fullmatch(cleaned):
        raise ValueError("must be an e-mail address")
    return cleaned


def in_utc(moment: datetime) -> datetime:
    """Raises `ValueError` for what is in no year that there is."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def link(text: str) -> str:
    """Where something is on the web or elsewhere; nothing that a browser would run."""
    if _RUN.match(text):
        raise ValueError("must not be a script")
    return text


def time_zone(name: str) -> str:
    if name not in time_zones():
        raise ValueError("must be the name of an IANA time zone")
    return name


def currency(code: str) -> str:
    if code not in _currencies():
        raise ValueError("must be the ISO 4217 code of a currency")
    return code


@cache
def _currencies() -> frozenset[str]:
    """Those that are legal tender somewhere today."""
    used = (each for land in get_global("territory_currencies").values() for each in land)
    return frozenset(code for code, _, until, tender in used if tender and until is None)


def written(example: str) -> Callable[[Any], Any]:
    """Raises `ValueError` for numbers, which could be seconds or milliseconds since any year."""

    def check(moment: Any) -> Any:
        if (isinstance(moment, str) and _TIME.match(moment)) or isinstance(moment, date):
            return moment
        raise ValueError(f"must be written as {example}")

    return check


def each_once(values: tuple[Value, ...]) -> tuple[Value, ...]:
    """In the order in which they are first named."""
    return tuple(dict.fromkeys(values))


def each_text_once(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Whatever its case, as they are looked for."""
    first: dict[str, str] = {}
    for each in texts:
        first.setdefault(each.casefold(), each)
    return tuple(first.values())


VISIBLE: dict[str, Any] = {"pattern": r"[^\s\x00-\x1f\x7f-\x9f]", "x-means": "not blank"}
_LOCAL_OR_DOMAIN = r"[^@\s,;:<>()\"\[\]\x00-\x1f\x7f-\x9f]+"
MAILBOX: dict[str, Any] = {
    "pattern": f"^{_LOCAL_OR_DOMAIN}@{_LOCAL_OR_DOMAIN}$",
    "x-means": "an e-mail address",
}
"""What the document says of texts that are cleaned before they are looked at."""

Id = Annotated[int, Field(strict=True, ge=1, le=LARGEST_ID)]
Hours = Annotated[int, Field(strict=True, ge=1, le=A_YEAR)]
Subject = Annotated[
    str, Field(min_length=1, max_length=500, json_schema_extra=VISIBLE), AfterValidator(one_line)
]
Name = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra=VISIBLE), AfterValidator(one_line)
]
Ids = Annotated[tuple[Id, ...], Field(max_length=50), AfterValidator(each_once)]
Attachments = Annotated[tuple[Id, ...], Field(max_length=20), AfterValidator(each_once)]
Moment = Annotated[
    AwareDatetime, BeforeValidator(written("2026-03-02T09:00:00Z")), AfterValidator(in_utc)
]
Day = Annotated[date, BeforeValidator(written("2026-03-02"))]
Note = Annotated[str, AfterValidator(clean_text)]
Text = Annotated[str, Field(min_length=1, json_schema_extra=VISIBLE), AfterValidator(not_empty)]
Message = Annotated[
    Text,
    Field(description="text, or HTML, whose pictures are at `/api/v1/attachments/{id}`"),
]
Address = Annotated[str, Field(max_length=320, json_schema_extra=MAILBOX), AfterValidator(address)]
Line = Annotated[
    str, Field(min_length=1, max_length=255, json_schema_extra=VISIBLE), AfterValidator(one_line)
]
Notes = Annotated[
    str,
    Field(min_length=1, max_length=10_000, json_schema_extra=VISIBLE),
    AfterValidator(not_empty),
]
Link = Annotated[Line, AfterValidator(link)]
Language = Annotated[
    str,
    Field(max_length=35, description="BCP 47"),
    Shape(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", "a language as in `en` or `pt-BR`"),
]
Zone = Annotated[str, Field(max_length=64, description="an IANA name"), AfterValidator(time_zone)]
Currency = Annotated[str, Field(max_length=3, description="ISO 4217"), AfterValidator(currency)]
Amount = Annotated[
    str,
    Shape(
        r"^[0-9]{1,13}(\.[0-9]{1,2})?$",
        "a decimal number with two digits behind the point at most, as in `95.00`",
    ),
]


class Rate(RequestBody):
    """For an hour."""

    amount: Amount
    currency: Currency


Addresses = Annotated[tuple[Address, ...], Field(max_length=50), AfterValidator(each_text_once)]
Tags = Annotated[
    tuple[
        Annotated[str, Field(max_length=100, json_schema_extra=VISIBLE), AfterValidator(one_line)],
        ...,
    ],
    Field(max_length=50),
    AfterValidator(each_text_once),
]


async def body_of(text: str) -> Body:
    """Text or HTML as a body; a large one is worked on in a thread."""
    if len(text) < INLINE_TEXT_BYTES:
        return make_body(text)
    return await asyncio.to_thread(make_body, text)


def make_body(text: str) -> Body:
    if looks_like_html(text):
        return Body(text=text_of(text), html=_with_pictures(text))
    return Body(text=clean_text(text))


def _with_pictures(html: str) -> str:
    """Cleaned, but with pictures that are files of here, as in what is read here."""
    cleaned = clean_html(_PICTURE.sub(r"\1cid:attachment-\2", html))
    return _CLEAN_PICTURE.sub(lambda found: URL.format(found[1]), cleaned)
