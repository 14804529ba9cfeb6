"""Files in mails: what they are called, what they are, and those packed into another."""

import base64
import struct

import pytest

from mail_ingest_svc.parse import ParsedMail, parse

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def with_file(kind: str, content: bytes, name: str = "") -> ParsedMail:
    data = base64.encodebytes(content).decode()
    return parse(
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: {kind}\n"
        f"Content-Disposition: attachment; filename={name}\nContent-Transfer-Encoding: base64\n\n"
        f"{data}\n--b--".encode()
    )


@pytest.mark.parametrize(
    ("declared", "content", "kind"),
    [
        ("image/png", PNG, "image/png"),
        ("application/octet-stream", PNG, "image/png"),
        ("application/octet-stream", b"PK\x03\x04...", "application/zip"),
        ("application/octet-stream", b"\x00\x01", "application/octet-stream"),
        ("image/jpeg", PNG, "image/jpeg"),
        ("text/plain", b"%PDF-1.7", "application/pdf"),
        ("image/png", b"MZ\x90\0", "application/vnd.microsoft.portable-executable"),
        ("image/png", b" <html><script>alert(1)</script>", "text/html"),
        ("image/svg+xml", b"<svg onload=x>", "image/svg+xml"),
        ("application/vnd.oasis.opendocument.text", b"PK\x03\x04", None),
    ],
)
def test_a_file_is_what_its_content_is(declared: str, content: bytes, kind: str | None) -> None:
    parsed = with_file(declared, content)
    [file] = parsed.attachments
    assert (file.type, file.content) == (kind or declared, content)
    assert ("type-mismatch" in parsed.defects) == (kind not in {None, declared})


def tnef_attribute(level: int, attribute: int, value: bytes) -> bytes:
    return struct.pack("<BII", level, attribute, len(value)) + value + b"\0\0"


def tnef(*attributes: bytes) -> bytes:
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(attributes)


LONG_NAME = "Bericht für März.pdf".encode("utf-16-le") + b"\0\0"
PROPERTIES = (
    struct.pack("<I", 3)
    + struct.pack("<HHI", 0x0003, 0x3705, 1)
    + struct.pack("<HH", 0x001E, 0x8001) + b"G" * 16 + struct.pack("<II", 0, 7)
    + struct.pack("<II", 1, 3) + b"ab\0\0"
    + struct.pack("<HHII", 0x001F, 0x3707, 1, len(LONG_NAME)) + LONG_NAME
)  # fmt: skip
FILE = tnef(
    tnef_attribute(1, 0x00069007, b"x" * 4),
    tnef_attribute(2, 0x00069002, b"r" * 14),
    tnef_attribute(2, 0x00018010, b"BERICH~1.PDF\0"),
    tnef_attribute(2, 0x0006800F, b"%PDF-1.7 report"),
    tnef_attribute(2, 0x00069005, PROPERTIES),
)


def test_files_in_winmail_dat_are_files_of_the_mail() -> None:
    parsed = with_file("application/ms-tnef", FILE, "winmail.dat")
    [file] = parsed.attachments
    assert (file.name, file.type) == ("Bericht für März.pdf", "application/pdf")
    assert file.content == b"%PDF-1.7 report"


@pytest.mark.parametrize("broken", [b"", b"no tnef", tnef(), FILE[:60], FILE[:-9][:40]])
def test_a_winmail_dat_without_files_stays(broken: bytes) -> None:
    parsed = with_file("application/ms-tnef", broken, "winmail.dat")
    assert [(file.name, file.content) for file in parsed.attachments] == [("winmail.dat", broken)]


@pytest.mark.parametrize("end", range(len(FILE)))
def test_a_winmail_dat_may_end_anywhere(end: int) -> None:
    parsed = with_file("application/ms-tnef", FILE[:end], "winmail.dat")
    assert len(parsed.attachments) == 1
    assert "unreadable" not in parsed.defects


@pytest.mark.parametrize(
    "kind",
    ["application/pkcs7-mime", "application/pkcs7-signature", "application/pgp-encrypted",
     "text/calendar", "message/rfc822", "text/vcard"],
)  # fmt: skip
def test_what_is_for_other_programs_is_kept_as_it_came(kind: str) -> None:
    inner = "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n--x--"
    parsed = parse(
        f"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSee.\n--b\nContent-Type: {kind}\n\n"
        f"{inner}\n--b--".encode()
    )
    assert [(file.type, file.content) for file in parsed.attachments] == [(kind, inner.encode())]
    assert parsed.text == "See."
