"""A mail as it goes over the wire (RFC 5322, 2045, 2047): pure ASCII, equal for equal input.

Not the stdlib's `EmailMessage`: its folding loses spaces between encoded words and encodes long
Message-IDs as if they were text, so that subjects and threads arrive broken; and it takes ten times
as long as everything else that is done for a mail.
"""

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass
from email.header import Header
from urllib.parse import quote

from deskwire.filenames import safe_name
from deskwire.html import clean_text

_LINE = 76
_TYPE = re.compile(r"(?!message/|multipart/)[a-z0-9][a-z0-9.+_-]{0,60}/[a-z0-9][a-z0-9.+_-]{0,99}")
_LONGEST_WORD = 70
_LINE_END = re.compile(r"\r\n?")


def field(name: str, value: str) -> str:
    """A header field, folded where its value has white space.

    No line break gets in: the value's pieces are what is between its white space.
    """
    plain = one_line(value)
    if len(name) + 2 + len(plain) <= _LINE:
        return f"{name}: {plain}"
    first, *pieces = plain.split()
    lines = [f"{name}: {first}"]
    for piece in pieces:
        if len(lines[-1]) + 1 + len(piece) > _LINE:
            lines.append("")
        lines[-1] += f" {piece}"
    return "\r\n".join(lines)


def one_line(text: str) -> str:
    """No line break and no control character is left that could begin another header."""
    return " ".join(clean_text(text).split())


def words(text: str, *, utf8: bool) -> str:
    """Text for a header: ASCII as it is, from the first other word on encoded."""
    found = one_line(text).split()
    for number, word in enumerate(found):
        if len(word) > _LONGEST_WORD or "=?" in word or not (utf8 or word.isascii()):
            encoded = Header(" ".join(found[number:]), "utf-8", maxlinelen=_LINE - 1).encode()
            return " ".join((*found[:number], encoded))
    return " ".join(found)


def mailbox(name: str, address: str, *, utf8: bool) -> str:
    """``"Ann Example" <ann@example.com>``; the address must be one."""
    plain = one_line(name)
    phrase = words(plain, utf8=utf8)
    if not phrase:
        return address
    if phrase == plain:
        phrase = '"' + plain.replace("\\", r"\\").replace('"', r"\"") + '"'
    return f"{phrase} <{address}>"


@dataclass(frozen=True, slots=True)
class File:
    name: str
    type: str
    content: bytes


def message(
    fields: Sequence[str], *, boundary: str, text: str, html: str, files: Sequence[File] = ()
) -> bytes:
    """The whole mail. A ``boundary`` with ``=_`` in it is in no part: neither quoted-printable nor
    base64 has it."""
    told = "\r\n".join([*fields, "MIME-Version: 1.0"]).encode()
    said = _alternatives(text, html, f"{boundary}a" if files else boundary)
    if not files:
        return b"\r\n".join((told, *said, b""))
    dashes = f"--{boundary}".encode()
    parts = [line for file in files for line in (dashes, *_attached(file))]
    head = field("Content-Type", f'multipart/mixed; boundary="{boundary}"').encode()
    return b"\r\n".join((told, head, b"", dashes, *said, *parts, dashes + b"--", b""))


def _alternatives(text: str, html: str, boundary: str) -> tuple[bytes, ...]:
    return (
        field("Content-Type", f'multipart/alternative; boundary="{boundary}"').encode(),
        b"",
        *_part("plain", text, boundary),
        *_part("html", html, boundary),
        f"--{boundary}--".encode(),
    )


def _attached(file: File) -> tuple[bytes, ...]:
    """Mails in mails are files like others: as `message/rfc822` they could not be in base64."""
    kind = file.type if _TYPE.fullmatch(file.type) else "application/octet-stream"
    return (
        f"Content-Type: {kind}".encode(),
        field("Content-Disposition", f"attachment; {_file_name(file.name)}").encode(),
        b"Content-Transfer-Encoding: base64",
        b"",
        encodebytes(file.content).rstrip(b"\n").replace(b"\n", b"\r\n"),
    )


def _file_name(name: str) -> str:
    """As RFC 2231 has it where it is not ASCII."""
    safe = safe_name(name, "", "file")
    if safe.isascii():
        return 'filename="' + safe.replace('"', "_") + '"'
    return f"filename*=utf-8''{quote(safe, safe='')}"


def _part(kind: str, text: str, boundary: str) -> tuple[bytes, ...]:
    lines = b2a_qp(_LINE_END.sub("\n", text).encode(), istext=True)
    return (
        f"--{boundary}".encode(),
        f'Content-Type: text/{kind}; charset="utf-8"'.encode(),
        b"Content-Transfer-Encoding: quoted-printable",
        b"",
        lines.replace(b"\n", b"\r\n"),
    )
