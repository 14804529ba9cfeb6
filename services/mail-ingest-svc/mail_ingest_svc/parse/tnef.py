"""Unpacks ``winmail.dat``, in which Outlook sends files to those who do not have it (MS-OXTNEF)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from mail_ingest_svc.parse.charsets import decode

MAX_FILES = 100
MAX_PROPERTIES = 1000

_SIGNATURE = 0x223E9F78
_ATTRIBUTE = struct.Struct("<BII")
_PROPERTY = struct.Struct("<HH")
_NUMBER = struct.Struct("<I")

_LONG_NAME, _MIME_TYPE = 0x3707, 0x370E
_UNICODE, _TEXT, _BINARY, _OBJECT = 0x1F, 0x1E, 0x102, 0x0D
_FIXED = {
    0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8,
    0x48: 16,
}  # fmt: skip


class Attribute(IntEnum):
    NEXT_FILE = 0x9002
    CONTENT = 0x800F
    TITLE = 0x8010
    PROPERTIES = 0x9005


@dataclass(slots=True)
class TnefFile:
    name: str = ""
    type: str = ""
    content: bytes = b""


def read_tnef(data: bytes) -> list[TnefFile]:
    """The files in it; what is broken off or unknown is left out."""
    files: list[TnefFile] = []
    for attribute, value in _attributes(data):
        if attribute == Attribute.NEXT_FILE and len(files) < MAX_FILES:
            files.append(TnefFile())
        elif files:
            _take(files[-1], attribute, value)
    return [file for file in files if file.content]


def _take(file: TnefFile, attribute: int, value: bytes) -> None:
    match attribute:
        case Attribute.CONTENT:
            file.content = value
        case Attribute.TITLE:
            file.name = file.name or _text(value)
        case Attribute.PROPERTIES:
            named = dict(_properties(value))
            file.name = named.get(_LONG_NAME) or file.name
            file.type = named.get(_MIME_TYPE, "").lower()


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    if len(data) < 6 or _NUMBER.unpack_from(data)[0] != _SIGNATURE:
        return
    position = 6
    while position + _ATTRIBUTE.size <= len(data):
        _, attribute, size = _ATTRIBUTE.unpack_from(data, position)
        position += _ATTRIBUTE.size
        if position + size > len(data):
            return
        yield attribute & 0xFFFF, data[position : position + size]
        position += size + 2  # a checksum, which nobody keeps right


def _properties(data: bytes) -> Iterator[tuple[int, str]]:
    """Those that are text, up to the first that is of an unknown kind."""
    position = 4
    for _ in range(min(MAX_PROPERTIES, _NUMBER.unpack_from(data)[0] if len(data) >= 4 else 0)):
        if position + _PROPERTY.size > len(data):
            return
        kind, id = _PROPERTY.unpack_from(data, position)
        position += _PROPERTY.size
        if id >= 0x8000:
            position = _after_name(data, position)
        if kind in _FIXED:
            position += _FIXED[kind]
            continue
        if kind not in {_UNICODE, _TEXT, _BINARY, _OBJECT} or position + 8 > len(data):
            return
        size = _NUMBER.unpack_from(data, position + 4)[0]
        value = data[position + 8 : position + 8 + size]
        position += 8 + size + -size % 4
        if kind in {_UNICODE, _TEXT}:
            yield id, value.decode("utf-16-le", "replace") if kind == _UNICODE else _text(value)


def _after_name(data: bytes, position: int) -> int:
    """Past the GUID and the number or name of a named property."""
    position += 16
    if position + 8 > len(data):
        return len(data)
    kind, size = struct.unpack_from("<II", data, position)
    return position + 8 + (size + -size % 4 if kind else 0)


def _text(value: bytes) -> str:
    return decode(value.rstrip(b"\0"), guess=True)
