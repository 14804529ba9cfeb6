"""Decides which parts are what a person reads, and which are files (as RFC 8621 section 4.1.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from deskwire.filenames import safe_name, type_of
from deskwire.html import clean_html, clean_text, html_of, text_of, too_large, without_data
from mail_ingest_svc.parse.charsets import decode
from mail_ingest_svc.parse.identity import read_message_id
from mail_ingest_svc.parse.model import ParsedAttachment
from mail_ingest_svc.parse.plain import naming_pictures, unflowed, without_files
from mail_ingest_svc.parse.sniff import sniffed
from mail_ingest_svc.parse.tnef import read_tnef
from mail_ingest_svc.parse.tree import Part

MAX_TEXT = 4 * 1024 * 1024

_TNEF = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the body; those of one ``alternative`` say the same."""

    content: str
    alternative: int | None
    is_html: bool


@dataclass(slots=True)
class Body:
    text: str = ""
    html: str | None = None
    source: str | None = None
    """The HTML as it came."""
    attachments: list[ParsedAttachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)


def read_body(parts: Sequence[Part]) -> Body:
    body = Body()
    pieces = [p for part in parts if (p := _piece_or_attachment(part, body)) is not None]
    if too_large("".join(piece.content for piece in pieces if piece.is_html)):
        body.defects.append("html-too-large")
        pieces = _as_text(pieces)
    body.text = _whole_text(pieces)[:MAX_TEXT]
    body.source = _whole_html(pieces)
    body.html = body.source and clean_html(body.source)
    return body


def _piece_or_attachment(part: Part, body: Body) -> Piece | None:
    if not _is_read(part):
        body.attachments += _unpacked(part, body) or [_attachment(part, body)]
        return None
    text = _decoded(part)
    if part.type == "text/html":
        return Piece(without_data(text), part.place.alternative, is_html=True)
    text, files = without_files(text)
    for name, content in files:
        body.attachments.append(_file(name, content, len(body.attachments) + 1))
    text = naming_pictures(_unwrapped(text, part)).strip("\n")
    return Piece(text, part.place.alternative, is_html=False)


def _is_read(part: Part) -> bool:
    if part.type.startswith("multipart/"):
        return part.place.depth == 0
    if part.type not in {"text/plain", "text/html"} or part.disposition == "attachment":
        return False
    return part.place.is_first or not (part.filename or part.place.related)


def _decoded(part: Part) -> str:
    text = decode(part.content, part.parameters.get("charset", ""), guess=True)
    return clean_text(text.replace("\r\n", "\n").replace("\r", "\n"))


def _unwrapped(text: str, part: Part) -> str:
    if part.parameters.get("format", "").lower() != "flowed":
        return text
    return unflowed(text, drop_space=part.parameters.get("delsp", "").lower() == "yes")


def _attachment(part: Part, body: Body) -> ParsedAttachment:
    content, content_id = part.content, read_message_id(part.headers.get("content-id"))
    kind = sniffed(part.type, content)
    if kind != part.type:
        body.defects.append("type-mismatch")
    return ParsedAttachment(
        safe_name(part.filename, part.type, f"part-{len(body.attachments) + 1}"),
        kind,
        content,
        content_id,
        inline=part.disposition != "attachment"
        and (part.disposition == "inline" or content_id is not None),
    )


def _unpacked(part: Part, body: Body) -> list[ParsedAttachment]:
    if part.type not in _TNEF and part.filename.lower() != "winmail.dat":
        return []
    found = len(body.attachments)
    files = enumerate(read_tnef(part.content), found + 1)
    return [_file(file.name, file.content, number, file.type) for number, file in files]


def _file(name: str, content: bytes, number: int, declared: str = "") -> ParsedAttachment:
    """One that came in another: a name, and seldom a type."""
    kind = sniffed(declared or type_of(name), content)
    return ParsedAttachment(safe_name(name, kind, f"part-{number}"), kind, content)


def _as_text(pieces: list[Piece]) -> list[Piece]:
    plain = [piece for piece in pieces if not piece.is_html and piece.content]
    return plain or [Piece(text_of("\n".join(p.content for p in pieces)), None, is_html=False)]


def _has_twin(piece: Piece, pieces: list[Piece]) -> bool:
    return piece.alternative is not None and any(
        other.alternative == piece.alternative
        and other.is_html != piece.is_html
        and other.content.strip()
        for other in pieces
    )


def _whole_text(pieces: list[Piece]) -> str:
    texts = (
        text_of(piece.content) if piece.is_html else piece.content
        for piece in pieces
        if not (piece.is_html and _has_twin(piece, pieces))
    )
    return "\n\n".join(text for text in texts if text)


def _whole_html(pieces: list[Piece]) -> str | None:
    if not any(piece.is_html for piece in pieces):
        return None
    return "".join(
        piece.content if piece.is_html else html_of(piece.content)
        for piece in pieces
        if piece.is_html or not _has_twin(piece, pieces)
    )
