"""Splits a block of header fields as bytes, for the standard parser loses what is not ASCII."""

import re
from dataclasses import dataclass

from mail_ingest_svc.parse.words import decode_words

MAX_FIELDS = 1000
MAX_FIELD = 65_536
MAX_STRUCTURED = 16_384
MAX_BLOCK = 1024 * 1024
MAX_PART_BLOCK = 16_384

_FIELD = re.compile(rb"([!-9;-~]{1,200})[ \t]*:((?:[^\n]*\n[ \t])*[^\n]*)(?:\n|\Z)")
_MBOX_LINE = re.compile(rb">?From [^\n]*\n")
_BLANK_LINE = re.compile(rb"[ \t]*\r?(?:\n|\Z)")
_BLOCK_END = re.compile(rb"\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class Headers:
    """Unfolded fields in their order, names in lower case (RFC 5322 section 2.2)."""

    fields: tuple[tuple[str, bytes], ...] = ()

    def all(self, name: str) -> list[bytes]:
        return [value for field, value in self.fields if field == name]

    def get(self, name: str) -> bytes:
        return next((value for field, value in self.fields if field == name), b"")

    def text(self, name: str) -> str:
        return decode_words(self.get(name))

    def joined(self, name: str) -> bytes:
        """All fields of an address header as one list, cut before it gets expensive."""
        return b", ".join(self.all(name))[:MAX_STRUCTURED]


def read_headers(raw: bytes, start: int, end: int, limit: int) -> tuple[Headers, int]:
    """The fields from ``start``, and where the body begins."""
    stop = min(end, start + limit)
    fields: list[tuple[str, bytes]] = []
    position = _after_mbox_line(raw, start, stop)
    while position < stop:
        field = _FIELD.match(raw, position, stop) or _after_junk(raw, position, stop)
        if field is None:
            break
        position = field.end()
        if len(fields) < MAX_FIELDS:
            fields.append((field[1].decode("ascii").lower(), _unfolded(field[2])))
    return Headers(tuple(fields)), _body_start(raw, position, stop, end)


def headers_alone(beginning: bytes) -> bytes:
    """A mail without its body; ``beginning`` may be cut anywhere behind its headers."""
    head, _, _ = beginning.replace(b"\r\n", b"\n").partition(b"\n\n")
    return head + b"\n\n"


def _after_mbox_line(raw: bytes, start: int, stop: int) -> int:
    line = _MBOX_LINE.match(raw, start, stop)
    return line.end() if line else start


def _after_junk(raw: bytes, position: int, stop: int) -> re.Match[bytes] | None:
    """A line that is no field is passed over when a field follows it at once."""
    if position == 0 or _BLANK_LINE.match(raw, position, stop):
        return None
    line_end = raw.find(b"\n", position, stop)
    return _FIELD.match(raw, line_end + 1, stop) if line_end >= 0 else None


def _body_start(raw: bytes, position: int, stop: int, end: int) -> int:
    if position >= stop and stop < end:
        block_end = _BLOCK_END.search(raw, stop - 1, end)
        return block_end.end() if block_end else stop
    blank = _BLANK_LINE.match(raw, position, end)
    return blank.end() if blank else position


def _unfolded(value: bytes) -> bytes:
    return _LINE_END.sub(b"", value[:MAX_FIELD]).strip()
