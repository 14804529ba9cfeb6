"""What a file is, by its first bytes: what a mail says of it may be wrong, or a disguise."""

import re

MAX_LOOK = 1024

GENERIC = frozenset({"application/octet-stream", "application/x-download", "application/unknown",
                     "application/binary", "application/force-download"})  # fmt: skip

_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-executable"),
    (b"#!/", "text/x-script"),
)
# Many types are made of these: they only name what nothing else does.
_CONTAINERS = (
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b", "application/gzip"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"{\\rtf", "application/rtf"),
    (b"BM", "image/bmp"),
)
_HTML = re.compile(
    rb"\s*(?:<!--.{0,200}?-->\s*)?<(?:!doctype html|html|script|svg)\b", re.IGNORECASE | re.DOTALL
)


def sniffed(declared: str, content: bytes) -> str:
    """The type that counts: what the content is, where it is known to be of another kind."""
    head = content[:MAX_LOOK]
    found = _by_signature(head, _SIGNATURES)
    if found and found.partition("/")[0] != declared.partition("/")[0]:
        return found
    if declared in GENERIC:
        return found or _by_signature(head, _CONTAINERS) or declared
    disguised = declared.startswith("image/") and declared != "image/svg+xml"
    return "text/html" if disguised and _HTML.match(head) else declared


def _by_signature(head: bytes, signatures: tuple[tuple[bytes, str], ...]) -> str | None:
    return next((found for mark, found in signatures if head.startswith(mark)), None)
