"""What files are and are called, whatever is said of them."""

import io
import unicodedata
import zipfile

import pytest

from deskwire.filenames import MAX_NAME, safe_name
from deskwire.filetypes import BYTES, HEAD_BYTES, sniffed

PROGRAM = "application/vnd.microsoft.portable-executable"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def zipped(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "x.png", "image/png"),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.html", "image/png"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "x", "image/webp"),
        (b"\0\0\0\x18ftypmp42", "x", "video/mp4"),
        (b"%PDF-1.7", "invoice.txt", "application/pdf"),
        (b"<!DOCTYPE html><p>", "cat.png", "text/html"),
        (b"\xef\xbb\xbf \n<HTML>", "cat.txt", "text/html"),
        (b"<script>alert(1)</script>", "a.txt", "text/html"),
        (b"<svg xmlns='x'>", "cat.png", "image/svg+xml"),
        (b"<?xml version='1.0'?><svg>", "cat.png", "application/xml"),
        (b"just text", "notes", "text/plain"),
        (b"just text", "cat.png", "text/plain"),
        (b"alert(1)", "x.js", "text/plain"),
        (b"p {}", "x.css", "text/plain"),
        (b"not html", "x.html", "text/plain"),
        (b"a;b\n1;2", "table.csv", "text/csv"),
        (b"M\xfcller;1\n", "table.csv", "text/csv"),
        (b"\xff\xfea\0b\0", "notes.txt", "text/plain"),
        (b"{}", "x.json", "application/json"),
        (b"BMW drivers", "x.bmp", "text/plain"),
        (b"MZ\x90\0\x03\0", "setup.exe", PROGRAM),
        (b"MZ\x90\0\x03\0", "setup.png", PROGRAM),
        (bytes(range(256)), "x.txt", BYTES),
        (b"", "empty.png", "text/plain"),
        (zipped("a.txt"), "a.zip", "application/zip"),
        (zipped("[Content_Types].xml"), "letter.docx", DOCX),
        (zipped("a.txt"), "a.html", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old.doc", "application/msword"),
        (b"<" * HEAD_BYTES, "x", "text/plain"),
    ],
)
def test_the_content_says_what_a_file_is(head: bytes, name: str, kind: str) -> None:
    assert sniffed(head, name) == kind


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 2026 - final.pdf", "Übersicht 2026 - final.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.txt", "a.txt"),
        ("..", "file.png"),
        ("", "file.png"),
        ("\0\r\n\t", "file.png"),
        ("a\r\nSet-Cookie: x=1.png", "aSet-Cookie_ x=1.png"),
        ("cat\u202egnp.exe", "catgnp.exe"),
        ("\u200b.hidden", "hidden"),
        ("con|<>?*.txt", "con_____.txt"),
        ("x" * 300 + ".txt", "x" * (MAX_NAME - 4) + ".txt"),
        ("a" + "\u0301" * 200, ("a" + "\u0301" * 200)[:MAX_NAME]),
    ],
)
def test_names_are_made_safe(name: str, safe: str) -> None:
    made = safe_name(name, "image/png", "file")
    assert made == safe
    assert not any(unicodedata.category(c) in {"Cc", "Cf"} for c in made)


@pytest.mark.parametrize(
    ("kind", "ending"), [("text/calendar", ".ics"), ("text/vcard", ".vcf"), ("x/y", ".bin")]
)
def test_what_has_no_name_has_the_ending_of_its_type(kind: str, ending: str) -> None:
    assert safe_name("", kind, "part-1") == f"part-1{ending}"
