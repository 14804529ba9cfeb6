"""Reads the text of header values: RFC 2047 encoded words, raw 8-bit bytes and mixtures of them."""

import binascii
import re
from collections.abc import Iterator

from deskwire.html import clean_text
from mail_ingest_svc.parse.charsets import decode

MAX_DECODED = 8192

_WORD = re.compile(
    rb"=\?(?P<charset>[^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?(?P<encoding>[bBqQ])\?"
    rb"(?P<text>[^?]{0,2000}(?:\?(?!=)[^?]{0,2000}){0,8})\?="
)


def decode_words(raw: bytes) -> str:
    """One clean line of text."""
    runs = _runs(raw[:MAX_DECODED])
    return one_line("".join(decode(data, charset) for charset, data in runs))


def one_line(text: str) -> str:
    return " ".join(clean_text(text.replace("\0", "")).split())


def _runs(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Pieces of one charset; neighbours are joined as bytes, for a letter may be cut in two."""
    charset, data = "", b""
    for next_charset, piece in _pieces(raw):
        if next_charset != charset:
            yield charset, data
            charset, data = next_charset, b""
        data += piece
    yield charset, data


def _pieces(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """RFC 2047 section 6.2: white space between two encoded words is not text."""
    end = 0
    for word in _WORD.finditer(raw):
        between = raw[end : word.start()]
        if between.strip() or end == 0:
            yield "", between
        yield word["charset"].decode("ascii", "replace").lower(), _decoded(word)
        end = word.end()
    yield "", raw[end:]


def _decoded(word: re.Match[bytes]) -> bytes:
    if word["encoding"] in b"qQ":
        return binascii.a2b_qp(word["text"].replace(b" ", b"_"), header=True)
    return base64_bytes(word["text"])


def base64_bytes(data: bytes) -> bytes:
    """Decode what is there: padding may be missing, a single letter at the end means nothing."""
    letters = data.translate(None, _NOT_BASE64).partition(b"=")[0]
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))


_NOT_BASE64 = bytes(
    b for b in range(256) if not (chr(b).isascii() and chr(b).isalnum()) and b not in b"+/="
)
