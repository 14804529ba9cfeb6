"""A mail as it goes over the wire (RFC 5322, 2045, 2047): pure ASCII, equal for equal input.

Not the stdlib's `EmailMessage`: its folding loses spaces between encoded words and encodes long
Message-IDs as if they were text, so that subjects and threads arrive broken; and it takes ten times
as long as everything else that is done for a mail.
"""

import re
from binascii import b2a_qp
from collections.abc import Sequence
from email.header import Header

from deskwire.html import clean_text

_LINE = 76
_LONGEST_WORD = 70
_LINE_END = re.compile(r"\r\n?")


def field(name: str, value: str) -> str:
    """A header field, folded where its value has white space.

    No line break gets in: the value's pieces are what is between its white space.
    """
    first, *pieces = one_line(value).split() or [""]
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


def alternatives(fields: Sequence[str], *, boundary: str, text: str, html: str) -> bytes:
    """The whole mail. A ``boundary`` with ``=_`` in it is in no part: quoted-printable has none."""
    kind = f'multipart/alternative; boundary="{boundary}"'
    head = [*fields, "MIME-Version: 1.0", field("Content-Type", kind)]
    return b"\r\n".join(
        (
            "\r\n".join(head).encode(),
            b"",
            *_part("plain", text, boundary),
            *_part("html", html, boundary),
            f"--{boundary}--\r\n".encode(),
        )
    )


def _part(kind: str, text: str, boundary: str) -> tuple[bytes, ...]:
    lines = b2a_qp(_LINE_END.sub("\n", text).encode(), istext=True)
    return (
        f"--{boundary}".encode(),
        f'Content-Type: text/{kind}; charset="utf-8"'.encode(),
        b"Content-Transfer-Encoding: quoted-printable",
        b"",
        lines.replace(b"\n", b"\r\n"),
    )
