"""Takes a mail apart into its leaves (RFC 2046) without recursion and without copying it twice.

The standard parser needs a Python step for every line and every level: 25 MiB of empty lines are
twenty seconds and a gigabyte. Looking for the boundaries alone leaves the work to `re`.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mail_ingest_svc.parse.headers import MAX_BLOCK, MAX_PART_BLOCK, Headers, read_headers
from mail_ingest_svc.parse.parameters import read_parameters
from mail_ingest_svc.parse.words import base64_bytes

MAX_DEPTH = 20
MAX_PARTS = 200
MAX_GUESSED = 65_536

_TYPE = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}")


_BOUNDARY_LINE = re.compile(rb"\n--(\S{1,200})[ \t]*\r?\n(?=content-)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part stands: what its neighbours are decides what it is."""

    start: int
    end: int
    depth: int = 0
    is_first: bool = True
    parent: str = ""
    alternative: int | None = None
    related: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf. A ``message/*`` is one too: a forwarded mail is a file, never descended into."""

    type: str
    parameters: dict[str, str]
    disposition: str
    filename: str
    headers: Headers
    encoded: bytes
    place: Place

    @property
    def content(self) -> bytes:
        encoding = self.headers.get("content-transfer-encoding").strip().lower()
        match encoding.split(b";")[0].strip(b"\"' "):
            case b"base64":
                return base64_bytes(self.encoded)
            case b"quoted-printable":
                return binascii.a2b_qp(self.encoded)
        return self.encoded


@dataclass(frozen=True, slots=True)
class Tree:
    headers: Headers
    type: str
    parts: tuple[Part, ...]
    defects: tuple[str, ...]


def take_apart(raw: bytes) -> Tree:
    raw = b"\n" + _with_newlines(raw).lstrip(b" \t\r\n")
    parts: list[Part] = []
    defects: dict[str, None] = {}
    root = _read(raw, Place(1, len(raw)))
    pending = [root]
    while pending:
        part = pending.pop()
        children = _children(raw, part, defects)
        if children:
            pending.extend(_read(raw, place) for place in reversed(children))
        elif part.type.startswith("multipart/") and not part.encoded.strip():
            continue
        elif len(parts) < MAX_PARTS:
            parts.append(part)
        else:
            defects["too-many-parts"] = None
            break
    return Tree(root.headers, root.type, tuple(parts), tuple(defects))


def _with_newlines(raw: bytes) -> bytes:
    return raw if b"\n" in raw else raw.replace(b"\r", b"\n")


def _read(raw: bytes, place: Place) -> Part:
    limit = MAX_PART_BLOCK if place.depth else MAX_BLOCK
    headers, start = read_headers(raw, place.start, place.end, limit)
    declared, parameters = read_parameters(headers.get("content-type"))
    disposition, options = read_parameters(headers.get("content-disposition"))
    digest = place.parent == "multipart/digest"
    default = "message/rfc822" if digest else "text/plain"
    return Part(
        type=declared if _TYPE.fullmatch(declared) else default,
        parameters=parameters,
        disposition=disposition,
        filename=options.get("filename") or parameters.get("name", ""),
        headers=headers,
        encoded=raw[start : place.end],
        place=replace(place, start=start),
    )


def _children(raw: bytes, part: Part, defects: dict[str, None]) -> list[Place]:
    if not part.type.startswith("multipart/"):
        return []
    if part.place.depth == MAX_DEPTH:
        defects["nested-too-deep"] = None
        return []
    spans = _spans(raw, part.place, part.parameters.get("boundary", "").encode("latin-1").rstrip())
    if not spans:
        defects["no-boundary"] = None
        spans = _spans(raw, part.place, _seen_boundary(raw, part.place))
    return [_child(part, start, end, is_first=not n) for n, (start, end) in enumerate(spans)]


def _child(part: Part, start: int, end: int, *, is_first: bool) -> Place:
    here = part.place
    alternative = here.alternative
    if alternative is None and part.type == "multipart/alternative":
        alternative = here.start
    return Place(
        start,
        end,
        here.depth + 1,
        is_first and here.is_first,
        part.type,
        alternative,
        here.related or (part.type == "multipart/related" and not is_first),
    )


def _seen_boundary(raw: bytes, place: Place) -> bytes:
    """What was used instead of the declared boundary, where that is missing or wrong."""
    stop = min(place.end, place.start + MAX_GUESSED)
    seen = _BOUNDARY_LINE.search(raw, place.start - 1, stop)
    return seen[1] if seen else b""


def _spans(raw: bytes, place: Place, boundary: bytes) -> list[tuple[int, int]]:
    if not boundary:
        return []
    spans: list[tuple[int, int]] = []
    opened: int | None = None
    for mark in _marks(raw, place, boundary):
        if opened is not None:
            spans.append((opened, max(opened, _line_end(raw, mark.start()))))
        opened = None if mark[1] else min(mark.end() + 1, place.end)
        if opened is None or len(spans) > MAX_PARTS:
            break
    if opened is not None and opened < place.end and len(spans) <= MAX_PARTS:
        spans.append((opened, place.end))
    return spans


def _marks(raw: bytes, place: Place, boundary: bytes) -> Iterator[re.Match[bytes]]:
    delimiter = re.compile(rb"\n--" + re.escape(boundary) + rb"(--)?[ \t]*\r?(?=\n|\Z)")
    return delimiter.finditer(raw, place.start - 1, place.end)


def _line_end(raw: bytes, newline: int) -> int:
    return newline - 1 if raw[newline - 1 : newline] == b"\r" else newline
