"""What is read from ordinary mails, one feature of mail a test."""

import base64
import time
from datetime import UTC, datetime

import pytest

from deskwire.contracts.mail import Address
from mail_ingest_svc.parse import ParsedMail, parse
from mail_ingest_svc.parse.reply import read_reply

RUSSIAN = "Привет, принтер снова не печатает. Помогите, пожалуйста."
JANE = Address(name="Jane Doe", email="jane@example.org")


def mail(headers: str, body: bytes | str = "") -> ParsedMail:
    content = body.encode() if isinstance(body, str) else body
    return parse(headers.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n" + content)


def multipart(kind: str, *parts: str) -> ParsedMail:
    inner = "".join(f"--=b\n{part}\n" for part in parts)
    return mail(f'Content-Type: multipart/{kind}; boundary="=b"', f"preamble\n{inner}--=b--\nend")


def test_a_plain_mail() -> None:
    parsed = mail(
        """
Message-ID: <1@example.org>
From: Jane Doe <jane@example.org>
To: support@example.com, "Roe, R." <roe@example.com>
Cc: team: a@example.com, b@example.com;
Reply-To: jane.private@example.org
Subject: Printer
 is on fire
Date: Mon, 2 Feb 2026 10:00:00 +0100
In-Reply-To: <0@example.com>
References: <a@example.com> <b@example.com>
 <0@example.com>""",
        "Please help.\r\nJane\r\n",
    )
    assert parsed == ParsedMail(
        message_id="1@example.org",
        sender=JANE,
        authors=(JANE,),
        to=(
            Address(email="support@example.com"),
            Address(name="Roe, R.", email="roe@example.com"),
        ),
        cc=(Address(email="a@example.com"), Address(email="b@example.com")),
        reply_to=(Address(email="jane.private@example.org"),),
        subject="Printer is on fire",
        date=datetime(2026, 2, 2, 9, tzinfo=UTC),
        in_reply_to=("0@example.com",),
        references=("a@example.com", "b@example.com", "0@example.com"),
        text="Please help.\nJane",
        reply=read_reply("Please help.\nJane"),
    )


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        (b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        (b"=?UTF-8?B?R3LDvMOf?=\r\n =?utf-8?B?ZQ?=", "Grüße"),
        (b"=?utf-8?B?w?= =?utf-8?B?w7w=?=", "ü"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=BC?= x", "ü x"),
        (b"=?iso-8859-1*de?q?a=20=80b?= c", "a €b c"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?nonsense?q?a=FC?=", "aü"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"=?foo?b?AAA?= a\x07", "a"),
        (b"=?utf-8?q?a=0D=0AX-Evil:_1?=", "a X-Evil: 1"),
    ],
)
def test_subjects_are_decoded(raw: bytes, subject: str) -> None:
    assert parse(b"Subject: " + raw + b"\r\n\r\n").subject == subject


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        ("From: jane@example.org (Jane Doe)", JANE),
        ('From: "Jane \\"Doe" <jane@example.org>', Address(name='Jane "Doe', email=JANE.email)),
        ("From: Doe, Jane <jane@example.org>", Address(name="Doe, Jane", email=JANE.email)),
        ("From: =?utf-8?q?Doe=2C_J=C3=BC?= <jane@example.org>",
         Address(name="Doe, Jü", email=JANE.email)),
        ('From: "jane@example.org" <jane@example.org>',
         Address(name=JANE.email, email=JANE.email)),
        ("From: <@relay.example:jane@example.org>", Address(email=JANE.email)),
        ("From: jürgen@exämple.org", Address(email="jürgen@exämple.org")),
        ('From: "unclosed <jane@example.org>', Address(name="unclosed", email=JANE.email)),
    ],
)  # fmt: skip
def test_the_one_author(header: str, sender: Address) -> None:
    parsed = mail(header)
    assert parsed.sender == sender


@pytest.mark.parametrize(
    ("header", "defect"),
    [
        ("From: alice@good.example <bob@evil.example>", "from-ambiguous"),
        ('From: "Support" <support@good.example> <evil@evil.example>', "from-ambiguous"),
        ("From: alice@good.example)bob@evil.example", "from-missing"),
        ("From: a@example.org, b@example.org", "from-ambiguous"),
        (f"From: {'a' * 65}@example.org", "from-missing"),
        (f"From: a@{'b' * 256}.org", "from-missing"),
        ("From: a@example.org\nFrom: b@example.org", "from-ambiguous"),
        ("From: =?utf-8?q?jane=40example.org?=", "from-missing"),
        ("From: Jane", "from-missing"),
        ("From: a@", "from-missing"),
        ("From: <>", "from-missing"),
        ("To: x@example.org", "from-missing"),
    ],
)
def test_no_author_where_two_readers_could_differ(header: str, defect: str) -> None:
    parsed = mail(header)
    assert parsed.sender is None
    assert defect in parsed.defects


@pytest.mark.parametrize("header", ["Message-ID: <>", "Message-ID:", "Message-ID: <@>", "To: x"])
def test_an_empty_message_id_is_none(header: str) -> None:
    assert mail(header).message_id is None


def test_the_last_fifty_references_are_kept() -> None:
    parsed = mail("References: " + " ".join(f"<{n}@x>" for n in range(80)))
    assert parsed.references == tuple(f"{n}@x" for n in range(30, 80))


@pytest.mark.parametrize(
    ("header", "date"),
    [
        ("Date: 2 Feb 2026 10:00 -0500", datetime(2026, 2, 2, 15, tzinfo=UTC)),
        ("Date: Mon, 2 Feb 2026 10:00:00", datetime(2026, 2, 2, 10, tzinfo=UTC)),
        ("Date: 99 Feb 2026 10:00:00 +0000", None),
        ("Date: yesterday", None),
    ],
)
def test_dates_are_in_utc(header: str, date: datetime | None) -> None:
    assert mail(header).date == date


def test_of_two_alternatives_each_is_read_once() -> None:
    parsed = multipart(
        "alternative",
        "Content-Type: text/plain\n\nHello",
        "Content-Type: text/html\n\n<p onclick=x>Hello</p>",
    )
    assert (parsed.text, parsed.html) == ("Hello", "<p>Hello</p>")


def test_a_footer_after_the_alternatives_is_in_both() -> None:
    inner = "--c\nContent-Type: text/plain\n\nA\n--c\nContent-Type: text/html\n\n<b>A</b>\n--c--"
    parsed = multipart(
        "mixed", f"Content-Type: multipart/alternative; boundary=c\n\n{inner}", "\nfooter & co"
    )
    assert parsed.text == "A\n\nfooter & co"
    assert parsed.html == "<b>A</b><p>footer &amp; co</p>"


def test_html_alone_has_a_text() -> None:
    parsed = mail("Content-Type: text/html; charset=utf-8", "<p>Grüße</p><p>Jane</p>")
    assert parsed.text == "Grüße\n\nJane"


def test_text_alone_has_no_html() -> None:
    assert mail("Subject: a", "x < y").html is None


def test_an_html_file_is_not_the_body() -> None:
    parsed = multipart(
        "mixed",
        "\nsee the file",
        "Content-Type: text/html\nContent-Disposition: attachment; filename=a.html\n\n<b>x</b>",
    )
    assert (parsed.text, parsed.html) == ("see the file", None)
    assert [(a.name, a.content) for a in parsed.attachments] == [("a.html", b"<b>x</b>")]


def test_pictures_of_the_html_are_inline() -> None:
    data = base64.encodebytes(b"\x89PNG").decode()
    parsed = multipart(
        "related",
        'Content-Type: text/html\n\n<img src="cid:1@x">',
        f"Content-Type: image/png\nContent-ID: <1@x>\nContent-Transfer-Encoding: base64\n\n{data}",
    )
    [picture] = parsed.attachments
    assert parsed.html is not None
    assert parsed.html.strip() == '<img src="cid:1@x">'
    assert (picture.name, picture.type, picture.content) == ("part-1.png", "image/png", b"\x89PNG")
    assert (picture.content_id, picture.inline) == ("1@x", True)


def test_a_forwarded_mail_is_a_file() -> None:
    inner = "Subject: inner\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\ninner text\n--i--"
    parsed = multipart("mixed", "\nouter", f"Content-Type: message/rfc822\n\n{inner}")
    [forwarded] = parsed.attachments
    assert parsed.text == "outer"
    assert (forwarded.name, forwarded.content) == ("part-1.eml", inner.encode())


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ("filename=report.pdf", "report.pdf"),
        ('filename="a b; c.pdf"', "a b; c.pdf"),
        ("filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
        ("filename=x.pdf; filename*=iso-8859-1'de'%FC.pdf", "ü.pdf"),
        ("filename*0=long; filename*1=-name.pdf", "long-name.pdf"),
        ("filename*1*=%BC.pdf; filename*0*=utf-8''%C3", "ü.pdf"),
        ('filename="=?utf-8?q?Gr=C3=BC=C3=9Fe=2Epdf?="', "Grüße.pdf"),
        ("filename*=utf-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        (r'filename="C:\\temp\\a.pdf"', "a.pdf"),
        ('filename="\u200b.htaccess"', "htaccess"),
        ('filename="a\u202efdp.exe"', "afdp.exe"),
        ('filename=".."', "part-1.pdf"),
        (f'filename="{"a" * 500}.pdf"', "a" * 116 + ".pdf"),
        ("", "part-1.pdf"),
    ],
)
def test_names_of_files_are_read_and_made_safe(parameters: str, name: str) -> None:
    parsed = mail(f"Content-Type: application/pdf\nContent-Disposition: attachment; {parameters}")
    assert [a.name for a in parsed.attachments] == [name]


def test_pictures_in_the_text_are_named_as_people_read_them() -> None:
    text = "See [cid:image001.png@01DC5A3E.7D0FB2A0]\n[cid:5a3f-9b] [cid: no] [CID:a.jpg]"
    expected = "See [image: image001.png]\n[image] [cid: no] [image: a.jpg]"
    assert mail("Content-Type: text/plain", text).text == expected


def test_flowed_text_is_joined() -> None:
    parsed = mail(
        "Content-Type: text/plain; format=flowed",
        "one \ntwo\n>> quoted \n>> on\n> less\n  stuffed\n-- \nJane",
    )
    assert parsed.text == "one two\n>> quoted on\n> less\n stuffed\n-- \nJane"


def test_flowed_text_without_spaces_between_words() -> None:
    parsed = mail("Content-Type: text/plain; format=flowed; delsp=yes", "你 \n好")
    assert parsed.text == "你好"


def test_a_uuencoded_block_is_a_file() -> None:
    parsed = mail("Subject: a", "see\nbegin 644 cat.txt\n#0V%T\n`\nend\nbye")
    assert parsed.text == "see\n\nbye"
    assert [(a.name, a.content) for a in parsed.attachments] == [("cat.txt", b"Cat")]


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-8859-1", b"\x80 \xfc", "€ ü"),
        ("us-ascii", "ü".encode(), "ü"),
        ("gb2312", "你好 €".encode("gb18030"), "你好 €"),
        ("shift_jis", "①".encode("cp932"), "①"),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("unicode-1-1-utf-7", b"Hi +2D3cbw-", "Hi 👯"),
        ("utf-8", "ü".encode() * 40 + b"\xc3", "ü" * 40 + "\ufffd"),
        ("rot13", b"abc", "abc"),
        ("punycode", b"abc-", "abc-"),
        ("nonexist", "ü".encode(), "ü"),
        ("", RUSSIAN.encode("cp1251"), RUSSIAN),
    ],
)  # fmt: skip
def test_charsets_are_taken_as_meant(charset: str, body: bytes, text: str) -> None:
    assert mail(f"Content-Type: text/plain; charset={charset}", body).text == text


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("base64", "SGVsbG8"),
        ("BASE64 ", "SGVs\r\nbG8=\r\n-- \r\nfooter"),
        ("quoted-printable", "Hel=\r\nlo"),
        ("quoted-printable", "H=65llo"),
        ("x-unknown", "Hello"),
    ],
)
def test_every_transfer_encoding_is_read(encoding: str, body: str) -> None:
    assert mail(f"Content-Transfer-Encoding: {encoding}", body).text == "Hello"


def test_an_empty_multipart_is_nothing() -> None:
    parsed = multipart("mixed", "\nHello", "Content-Type: multipart/mixed; boundary=c\n")
    assert (parsed.text, parsed.attachments) == ("Hello", ())


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_will_do(line_end: str) -> None:
    raw = "\nFrom jane Mon Feb  2\nSubject: a\nbroken line\nTo: b@example.org\n\nc\nd"
    parsed = parse(raw.replace("\n", line_end).encode())
    assert (parsed.subject, parsed.to[0].email, parsed.text) == ("a", "b@example.org", "c\nd")


@pytest.mark.parametrize(
    ("coded", "boundary"), [("utf-8''%e2%84%a2", b"\xe2\x84\xa2"), ("utf-8''%b3", b"\xb3")]
)
def test_a_coded_boundary_is_bytes_whatever_its_charset(coded: str, boundary: bytes) -> None:
    between = b"\n--" + boundary
    parsed = mail(
        f"Content-Type: multipart/mixed; boundary*={coded}",
        between + b"\n\nHello" + between + b"--\n",
    )
    assert parsed.text == "Hello"
    assert not {"unreadable", "no-boundary"} & set(parsed.defects)


def test_a_wrong_boundary_is_found_in_the_body() -> None:
    parsed = mail(
        "Content-Type: multipart/mixed; boundary=declared",
        "--used\nContent-Type: text/plain\n\nHello\n--used--",
    )
    assert parsed.text == "Hello"
    assert "no-boundary" in parsed.defects


def test_ordinary_mail_is_parsed_fast() -> None:
    raw = b"From: a@b.c\r\nTo: d@e.f\r\nSubject: s\r\n\r\n" + b"Some words of text.\r\n" * 20
    began = time.perf_counter()
    for _ in range(200):
        parse(raw)
    assert time.perf_counter() - began < 2
