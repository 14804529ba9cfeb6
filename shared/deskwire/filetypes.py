"""What a file is, from its first bytes: what a sender says of it is only asked where they are mute.

Libraries for this guess: puremagic calls every ZIP file a Word document and a text that begins with
BM a bitmap. Here a short list is sure, and what is not on it is text or just bytes.
"""

import mimetypes
import re

HEAD_BYTES = 4096
"""So much of a file is looked at."""

TEXT = "text/plain"
BYTES = "application/octet-stream"
ZIP = "application/zip"
OLE = "application/x-ole-storage"
HTML = "text/html"
MARKUP = frozenset({HTML, "image/svg+xml", "application/xml"})

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF-", "application/pdf"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (8, b"WEBPVP8", "image/webp"),
    (8, b"WAVEfmt ", "audio/wav"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypqt  ", "video/quicktime"),
    (4, b"ftypM4A ", "audio/mp4"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "video/webm"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"PK\x03\x04", ZIP),
    (0, b"PK\x05\x06", ZIP),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (257, b"ustar", "application/x-tar"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"MZ\x90\0", "application/vnd.microsoft.portable-executable"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
)
_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*<(?:(?P<html>!doctype html|html|head|body|script)\b|(?P<svg>svg)\b|"
    rb"(?P<xml>\?xml)\b)",
    re.IGNORECASE,
)
_MARKUP_TYPES = {"html": HTML, "svg": "image/svg+xml", "xml": "application/xml"}

MADE_INTO_OTHERS = frozenset({ZIP, OLE, "application/gzip", "application/rtf", "image/tiff"})
"""Many types begin as these: a file that is said to be another one may well be it."""

# What is inside the container is for the name to say: of these alone.
_OFFICE = "application/vnd."
_INSIDE = {
    ZIP: (f"{_OFFICE}openxmlformats-", f"{_OFFICE}oasis.opendocument.", "application/epub+zip"),
    OLE: ("application/msword", f"{_OFFICE}ms-"),
    TEXT: ("text/", "application/json", "message/rfc822"),
}
_NAMED = mimetypes.MimeTypes()
for _extension, _kind in {
    ".docx": f"{_OFFICE}openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": f"{_OFFICE}openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}openxmlformats-officedocument.presentationml.presentation",
    ".msg": f"{_OFFICE}ms-outlook",
    ".md": "text/markdown",
}.items():
    _NAMED.add_type(_kind, _extension)
_NO_CONTROLS = bytes({*range(256)} - {*range(32)} | {*b"\t\n\f\r\x1b"})
_ACTIVE = {HTML, "text/javascript", "text/xml", "text/css"}


def sniffed(head: bytes, name: str) -> str:
    """The media type of a file that begins so, as in ``image/png``."""
    found = known(head) or (TEXT if _is_text(head) else BYTES)
    named = _NAMED.guess_type(name)[0] or ""
    if named not in _ACTIVE and named.startswith(_INSIDE.get(found, ())):
        return named
    return found


def known(head: bytes) -> str | None:
    """What nothing else begins as; None for text and for bytes that say nothing."""
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    markup = _MARKUP.match(head)
    if markup is not None and markup.lastgroup is not None:
        return _MARKUP_TYPES[markup.lastgroup]
    return None


def _is_text(head: bytes) -> bool:
    """In any character set that keeps ASCII, or in UTF-16 that says so."""
    return head.startswith((b"\xff\xfe", b"\xfe\xff")) or not head.translate(None, _NO_CONTROLS)
