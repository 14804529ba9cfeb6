"""Inputs that crash or stall mail parsers: here each costs seconds at worst and never the mail."""

import json
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskwire import db
from deskwire.testing import FreshDatabase
from mail_ingest_svc.parse import ParsedMail, bodies, parse
from mail_ingest_svc.parse.mail import UNREADABLE
from mail_ingest_svc.parse.told import as_json
from mail_ingest_svc.parse.tree import Part

MIB = 1024 * 1024
MULTIPART = b"From: a@b.c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
HTML = b"From: a@b.c\r\nContent-Type: text/html\r\n\r\n"
FLOWED = b"Content-Type: text/plain; format=flowed\r\n\r\n"
NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1500)
)

HOSTILE = {
    "quotes in From": b"From: " + b'"' * 25 * MIB,
    "escaped quotes in From": b"From: " + b'"\\"' * MIB,
    "comments in To": b"To: " + b"(" * 25 * MIB,
    "comments in Message-ID": b"Message-ID: " + b"(" * MIB,
    "brackets in References": b"References: " + b"<" * 25 * MIB,
    "addresses": b"To: " + b"a@b.c, " * MIB,
    "headers": b"a:\n" * 8 * MIB,
    "folds": b"Subject: x\n " * 2 * MIB,
    "encoded words": b"Subject: " + b"=?a?q?x" * 10_000,
    "line break in a name": b"From: =?utf-8?q?a=0D=0ABcc:_x=40y.z?= <a@b.c>\r\n\r\n",
    "empty parts": MULTIPART + b"--b\r\n\r\n" * 3 * MIB,
    "almost boundaries": MULTIPART + b"\n--bx" * 5 * MIB,
    "boundary and spaces": MULTIPART + b"\n--b" + b" " * 25 * MIB,
    "empty lines in a part": MULTIPART + b"--b\r\n\r\n" + b"\n" * 25 * MIB,
    "carriage returns": MULTIPART + b"\r" * 25 * MIB,
    "depth 1,500": NESTED + b"\r\nhi",
    "one boundary nested": MULTIPART.replace(b"From: a@b.c\r\n", b"") * 300_000,
    "forwards 1,000 deep": b"Content-Type: message/rfc822\r\n\r\n" * 1000,
    "parameters": b"Content-Type: text/plain" + b"; a=b" * 200_000,
    "continuations": b"Content-Type: x/y" + b"".join(b";a*%d=x" % n for n in range(5000)),
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\nhi",
    "unknown charset": b"Content-Type: text/plain; charset=nonexist\r\n\r\nhi\xff",
    "quadratic charset": b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a" * MIB,
    "soft line breaks": FLOWED + b"a \n" * MIB,
    "quote marks": FLOWED + b">" * MIB + b"\n" + b"> " * MIB,
    "begun files": b"\r\n\r\n" + b"begin 644 x\n" * MIB,
    "empty files": b"\r\n\r\n" + b"begin 644 x\n`\nend\n" * MIB,
    "deep HTML": HTML + b"<div>" * 200_000,
    "much deep HTML": HTML + b"<div>" * 5 * MIB,
    "brackets in HTML": HTML + b"<" * 25 * MIB,
    "comments in HTML": HTML + b"<!--" * 6 * MIB,
    "formatting in HTML": HTML + b"<p><b a=1>" * 20_000,
    "tag without end in HTML": HTML + b"<br>" * 101 + b"<" + b"a" * (MIB - 1000),
    "ampersands in HTML": HTML + b"&" * (MIB - 1000),
    "NUL": b"\0" * 25 * MIB,
    "nothing": b"",
}


def assert_clean(parsed: ParsedMail) -> None:
    mailboxes = [*parsed.to, *parsed.cc, *parsed.reply_to, *filter(None, [parsed.sender])]
    strings = [
        parsed.subject, parsed.text, parsed.html or "", parsed.message_id or "",
        *parsed.in_reply_to, *parsed.references,
        *(s for box in mailboxes for s in (box.name, box.email)),
        *(s for a in parsed.attachments for s in (a.name, a.type, a.content_id or "")),
    ]  # fmt: skip
    for s in strings:
        s.encode()
        assert "\0" not in s
    assert "unreadable" not in parsed.defects


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_parsed_in_bounded_time(name: str) -> None:
    began = time.perf_counter()
    parsed = parse(HOSTILE[name])
    assert time.perf_counter() - began < 20
    assert_clean(parsed)
    assert len(parsed.attachments) <= 250
    assert len(parsed.to) <= 100


def test_what_is_too_deep_is_kept_as_a_file() -> None:
    parsed = parse(NESTED + b"\r\nhi")
    assert "nested-too-deep" in parsed.defects
    assert parsed.attachments[0].content.endswith(b"hi")


def test_too_many_parts_are_said() -> None:
    assert "too-many-parts" in parse(MULTIPART + b"--b\r\n\r\nx\r\n" * 1000).defects


def test_html_that_is_too_large_is_read_as_text() -> None:
    parsed = parse(HTML + b"<p>Hello</p>" + b"<b>" * MIB + b"bye")
    assert parsed.html is None
    assert parsed.text.split() == ["Hello", "bye"]
    assert "html-too-large" in parsed.defects


def test_an_unforeseen_error_costs_the_body_not_the_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    read = bodies.read_body

    def fragile(parts: Sequence[Part]) -> bodies.Body:
        if parts[0].encoded:
            raise RecursionError
        return read(parts)

    monkeypatch.setattr("mail_ingest_svc.parse.mail.read_body", fragile)
    raw = b"Subject: a\r\nFrom: jane@example.org\r\n\r\nb\0"
    parsed = parse(raw)
    assert (parsed.subject, parsed.text, parsed.defects[-1]) == ("a", UNREADABLE, "unreadable")
    assert parsed.sender is not None
    assert [(a.name, a.content) for a in parsed.attachments] == [("mail.eml", raw)]


def test_an_unforeseen_error_in_the_headers_costs_those(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise RecursionError

    monkeypatch.setattr("mail_ingest_svc.parse.mail.take_apart", fail)
    parsed = parse(b"Subject: a\r\n\r\nb")
    assert (parsed.subject, parsed.text, len(parsed.attachments)) == ("", UNREADABLE, 1)


FRAGMENTS = st.sampled_from(
    [b"From: ", b"To: ", b"Subject: ", b"Content-Type: ", b"multipart/mixed; boundary=b",
     b"multipart/alternative; boundary=c", b"text/html", b"text/plain; format=flowed",
     b"message/rfc822",
     b"; charset=", b"utf-7", b"gb2312", b"Content-Transfer-Encoding: base64", b"quoted-printable",
     b"Content-Disposition: attachment; filename*0*=", b"utf-8''%00%ff", b"=?utf-8?b?AAA?=",
     b"=?x?q?=00_", b"?=", b"\r\n", b"\n", b"\r", b"\n ", b"\n\n", b"\n--b\n", b"\n--c\n",
     b"\n--b--\n",
     b"<", b">", b"(", b'"', b"\\", b",", b";", b":", b"@", b"a@b.c", b"\0", b"\xff", b"<p>",
     b"begin 644 a\n", b"\nend", b"Date: ", b"1 Jan 99999", b"-9999", b"References: ", b"<@>"]
)  # fmt: skip


MAILS = st.binary() | st.lists(FRAGMENTS, max_size=40).map(b"".join)


async def test_any_bytes_are_a_mail_that_can_be_stored(fresh_database: FreshDatabase) -> None:
    stored: list[str] = []

    @settings(max_examples=300, deadline=None)
    @given(MAILS)
    def read(raw: bytes) -> None:
        parsed = parse(raw)
        assert_clean(parsed)
        stored.append(json.dumps(as_json(parsed)))

    read()
    async with db.connect(fresh_database("mail_ingest_svc"), size=1) as database:
        statement = "SELECT count(each::jsonb ->> 'text') FROM unnest($1::text[]) AS t(each)"
        assert await database.pool.fetchval(statement, stored) == len(stored)
