"""The mails themselves: what they say, how they thread, and that no text can break out."""

from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from notify_desk import NOON, opened, parsed, part, replied
from notify_desk import settings as told_settings

from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.mail import Body
from deskwire.contracts.threads import LastMessage, MailSender
from deskwire.contracts.tickets import TicketReplied
from deskwire.errors import SetupError
from notify_svc.domain.mails import Told
from notify_svc.domain.rules import mails
from notify_svc.mime import File
from notify_svc.rendering.letter import CannotRender, Letterhead, ascii_domain, render
from notify_svc.settings import Settings

DELIMITER = "##- Please type your reply above this line -##"
HEAD = Letterhead("Example Support", "support@example.com", "support@example.com")


def raw(event: Told, which: int = 0, head: Letterhead = HEAD) -> bytes:
    return render(list(mails(event, {}))[which], head, delivery=7, created_at=NOON).content


def mail(event: Told, which: int = 0, head: Letterhead = HEAD) -> EmailMessage:
    return parsed(raw(event, which, head))


def test_a_client_is_told_that_the_ticket_is_there() -> None:
    found = mail(opened())
    assert found["Subject"] == "Ticket created - [TCK-12] - Printer on fire"
    assert found["To"] == "Alice <alice@client.test>"
    assert part(found, "plain").startswith(f"{DELIMITER}\n\nHello Alice,\n")
    assert DELIMITER in part(found, "html")
    assert "It burns." not in part(found, "plain")


def test_the_text_is_told_to_who_has_not_written_it() -> None:
    found = mail(opened(source="agent"))
    assert "It burns." in part(found, "plain")
    assert "It burns." in part(found, "html")


def test_the_team_is_told_of_a_new_ticket() -> None:
    head = Letterhead(
        HEAD.name, HEAD.address, HEAD.address, ticket_url="https://desk.example.com/t/{id}"
    )
    found = mail(opened(team=["team@example.com"]), 1, head)
    assert found["Subject"] == "New ticket - Client Ltd - [TCK-12] - Printer on fire"
    text = part(found, "plain")
    for line in ("Client:   Client Ltd", "From:     Alice", "Priority: low", "It burns."):
        assert f"{line}\n" in text
    assert "https://desk.example.com/t/12\n" in text
    assert 'href="https://desk.example.com/t/12"' in part(found, "html")
    assert DELIMITER not in text


def test_a_ticket_of_nobody_has_a_readable_mail() -> None:
    found = mail(opened(team=["team@example.com"], client=None, contact=None))
    assert found["Subject"] == "New ticket - [TCK-12] - Printer on fire"
    assert "Ticket:" not in part(found, "plain")


def test_a_reply_is_told_as_it_was_written() -> None:
    body = Body(text="Take *this*.", html="<p>Take <b>this</b>.</p>")
    found = mail(replied(body=body))
    assert found["Subject"] == "Re: [TCK-12] - Printer on fire"
    assert "Ann wrote about TCK-12" in part(found, "plain")
    assert "\nTake *this*.\n" in part(found, "plain")
    assert "<p>Take <b>this</b>.</p>" in part(found, "html")


def quoting(text: str, **author: Any) -> TicketReplied:
    by = Author.model_validate({"type": "contact", "name": "Alice"} | author)
    said = LastMessage(author=by, at=NOON, text=text)
    zone = replied().thread.model_copy(update={"language": "de", "timezone": "Europe/Berlin"})
    told = replied(watchers=["wim@client.test"])
    return told.model_copy(update={"answers": said, "thread": zone})


def test_a_reply_quotes_what_it_answers_below_in_the_readers_language_and_time() -> None:
    for which in (0, 1):
        found = mail(quoting("It burns.\n\n> Where?\nIn the hall."), which)
        line = "Am 04.03.2025, 13:00 CET schrieb Alice:"
        assert part(found, "plain").endswith(
            f"\n\n{line}\n> It burns.\n>\n> > Where?\n> In the hall.\n"
        )
        page = part(found, "html")
        assert line in page
        assert page.index(line) < page.index('<blockquote type="cite"') < page.index("It burns.")


def test_what_is_quoted_is_text_and_never_what_a_key_is_called() -> None:
    by_key = quoting("<img src=x><b>{{ 7*7 }}</b>", type="system", name="Nagios")
    page, text = part(mail(by_key), "html"), part(mail(by_key), "plain")
    assert "&lt;img src=x&gt;&lt;b&gt;{{ 7*7 }}" in page
    assert "schrieb Example Support:" in text
    assert "Nagios" not in text + page
    evil = mail(quoting("Hi", name="Al\r\nBcc: x\n##- a -##", email=None))
    assert "schrieb Al Bcc: x ##- a -##:\n> Hi\n" in part(evil, "plain")


def test_agents_have_the_ticket_and_get_no_quotation() -> None:
    told = quoting("It burns.")
    bob = Person(id=2, name="Bob", email="bob@example.com")
    ours = told.ticket.model_copy(update={"assigned_to": bob})
    found = {
        one.template: one.notice for one in mails(told.model_copy(update={"ticket": ours}), {})
    }
    assert {name: getattr(said, "quotes", None) is None for name, said in found.items()} == {
        "public-reply": False,
        "agent-reply": True,
    }


def test_the_settings_say_who_a_mail_comes_from() -> None:
    told = MailSender(name="Acme\r\nBcc: x desk", address="acme@desk.example.com")
    thread_of_acme = replied().thread.model_copy(update={"sender": told})
    event = replied().model_copy(update={"thread": thread_of_acme})
    letter = render(next(iter(mails(event, {}))), HEAD, delivery=7, created_at=NOON)
    found = parsed(letter.content)
    assert found["From"] == '"Acme Bcc: x desk" <acme@desk.example.com>'
    assert letter.sender == "acme@desk.example.com"
    assert parseaddr(found["Reply-To"])[1].endswith("@example.com")
    assert found["Bcc"] is None
    name_alone = thread_of_acme.model_copy(update={"sender": MailSender(name="Acme")})
    named = mail(replied().model_copy(update={"thread": name_alone}))
    assert named["From"] == "Acme <support@example.com>"


def test_answers_go_to_the_mailbox_that_the_ticket_came_by() -> None:
    told = MailSender(name="Brand", address="help@brand.test", reply_to="help@brand.test")
    event = replied().model_copy(
        update={"thread": replied().thread.model_copy(update={"sender": told})}
    )
    found = mail(event)
    assert found["From"] == "Brand <help@brand.test>"
    token = "help+e2-abcdefghijklmnop@brand.test"
    assert found["Reply-To"].addresses[0].addr_spec == token
    assert found["X-Deskwire-Loop"] == HEAD.reply_address
    head = replace(HEAD, bounce_tokens=True)
    letter = render(next(iter(mails(event, {}))), head, delivery=7, created_at=NOON)
    assert letter.sender == token


@pytest.mark.parametrize(
    ("smtp_url", "wanted", "expected"),
    [
        ("smtp://127.0.0.1:25", None, "support+e2-abcdefghijklmnop@example.com"),
        ("smtps://user:word@mx.example.com", None, "support@example.com"),
        ("smtp://user@mx.example.com?oauth=m", None, "support@example.com"),
        ("smtps://user:word@mx.example.com", True, "support+e2-abcdefghijklmnop@example.com"),
        ("maildir:/tmp/out", False, "support@example.com"),
    ],
)
def test_bounces_are_known_by_their_address_where_the_server_lets_us(
    smtp_url: str, wanted: bool | None, expected: str
) -> None:
    told = told_settings("postgresql://nobody@127.0.0.1:1/x", smtp_url, bounce_tokens=wanted)
    one = next(iter(mails(replied(), {})))
    assert render(one, Letterhead.of(told), delivery=7, created_at=NOON).sender == expected
    elsewhere = told.model_copy(update={"reply_address": "desk@other.test"})
    letter = render(one, Letterhead.of(elsewhere), delivery=7, created_at=NOON)
    assert letter.sender == "support@example.com"


def test_no_mail_goes_to_an_address_that_mails_come_from() -> None:
    thread_of_acme = replied().thread.model_copy(
        update={"sender": MailSender(address="acme@desk.example.com")}
    )
    for own in ("acme+x@desk.example.com", "support@example.com"):
        event = replied(contact=Person(id=5, name="A", email=own))
        with pytest.raises(CannotRender, match="our own address"):
            mail(event.model_copy(update={"thread": thread_of_acme}))


def test_mails_thread() -> None:
    found = mail(replied())
    assert found["Message-ID"] == "<e2-abcdefghijklmnop@mail.example.com>"
    assert found["In-Reply-To"] == "<e1-abcdefghijklmnop@mail.example.com>"
    assert found["References"].split() == ["<first@client.test>", found["In-Reply-To"]]
    assert found["Reply-To"].addresses[0].addr_spec == "support+e2-abcdefghijklmnop@example.com"
    assert found["Date"].datetime == NOON


def test_answers_can_go_elsewhere_and_without_a_token() -> None:
    head = Letterhead("S", "support@example.com", "tickets@example.com", plus_addressing=False)
    found = mail(replied(), head=head)
    assert found["Reply-To"].addresses[0].addr_spec == "tickets@example.com"
    assert found["From"].addresses[0].addr_spec == "support@example.com"


def test_only_automatic_mails_say_so_and_all_bear_the_mark_of_their_instance() -> None:
    for found, automatic in (
        (mail(opened()), True),
        (mail(opened(team=["t@example.com"]), 1), True),
        (mail(replied()), False),
    ):
        assert (found["Auto-Submitted"] == "auto-generated") is automatic
        assert (found["X-Auto-Response-Suppress"] == "All") is automatic
        assert found["X-Deskwire-Loop"] == "support@example.com"


def test_every_attempt_has_the_same_bytes_and_each_recipient_a_boundary() -> None:
    event = replied(watchers=["bob@client.test"])
    assert raw(event) == raw(event)
    assert mail(event).get_boundary() != mail(event, 1).get_boundary()


def test_long_message_ids_stay_whole() -> None:
    """The stdlib would encode them as words: no mail program could follow the thread."""
    long = f"<{'A' * 110}.namprd12@prod.outlook.example.com>"
    event = replied()
    told = event.thread.model_copy(update={"in_reply_to": long, "references": (long, "<b@c.test>")})
    content = raw(event.model_copy(update={"thread": told}))
    assert f"In-Reply-To: {long}\r\n".encode() in content
    assert f"References: {long}\r\n <b@c.test>\r\n".encode() in content


def test_foreign_message_ids_that_are_none_are_left_out() -> None:
    bad = ("no id", "<a b@c.test>", "<a@b.test>\r\nBcc: e@evil.test", "<ä@b.test>", "<>")
    event = replied()
    told = event.thread.model_copy(
        update={"in_reply_to": bad[2], "references": (*bad, "<a@b.test>")}
    )
    found = mail(event.model_copy(update={"thread": told}))
    assert found["In-Reply-To"] is None
    assert found["References"] == "<a@b.test>"
    assert found["Bcc"] is None


EVIL = "x\r\nBcc: evil@evil.test\r\n\r\nbody\u2028X: y\x85Z: z\0\x0b"


def test_no_text_becomes_a_header() -> None:
    fields: dict[str, Any] = {
        "subject": EVIL,
        "client": Named(id=1, name=EVIL),
        "contact": Person(id=1, name=EVIL, email="alice@client.test"),
    }
    for which in (0, 1):
        found = mail(opened(team=["t@example.com"], **fields), which)
        assert set(found.keys()) <= {
            *("From", "To", "Reply-To", "Date", "Message-ID", "In-Reply-To", "References"),
            *("X-Deskwire-Loop", "Auto-Submitted", "X-Auto-Response-Suppress", "Subject"),
            *("MIME-Version", "Content-Type", "Content-Language"),
        }
        (to,) = found["To"].addresses
        assert to.addr_spec == ("alice@client.test", "t@example.com")[which]


@pytest.mark.parametrize(
    "address",
    [
        "a@b.test\r\nBcc: e@evil.test",
        "a@b.test> SIZE=1",
        "a b@c.test",
        "a,b@c.test",
        "a@b@c.test",
        "@c.test",
        "a@",
        "",
        "a",
        "a@b..test",
        f"a@{'b' * 64}.test",
        f"{'a' * 250}@b.test",
        "a\0@b.test",
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(address: str) -> None:
    with pytest.raises(CannotRender, match=r"is not a (mail address|domain)"):
        raw(replied(contact=Person(id=1, name="A", email=address or None), watchers=[address]))


def test_a_mail_to_ourselves_is_not_written() -> None:
    for own in ("SUPPORT@example.com", "support+e1-abcdefghijklmnop@example.com"):
        with pytest.raises(CannotRender, match="our own address"):
            raw(replied(contact=None, watchers=[own]))


def test_other_scripts_in_domains_and_before_the_at() -> None:
    assert ascii_domain("jo@exämple.com") == "jo@xn--exmple-cua.com"
    content = raw(replied(contact=Person(id=1, name="Jörg", email="jörg@exämple.com")))
    assert "jörg@xn--exmple-cua.com" in content.decode()


def test_text_of_tickets_is_never_a_template() -> None:
    text = "{{ 7*7 }} {% raw %} {{ notice.__class__ }}"
    found = mail(replied(body=Body(text=text)))
    assert text in part(found, "plain")
    assert "{{ 7*7 }}" in part(found, "html")
    assert "49" not in part(found, "plain")


def test_markup_in_a_ticket_does_no_harm() -> None:
    html = (
        '<img alt="><script>alert(1)</script>" src=x><p onclick=x>Hi</p><script>alert(2)</script>'
    )
    event = replied(
        body=Body(text="Hi", html=html), author=Author(type="agent", name="<script>alert(3)")
    )
    found = part(mail(event), "html")
    assert "<p>Hi</p>" in found
    assert "<script" not in found
    assert "<img" not in found
    assert "onclick" not in found


def test_no_text_can_hold_the_boundary() -> None:
    event = replied()
    boundary = mail(event).get_boundary()
    found = mail(
        replied(body=Body(text=f"\n--{boundary}\nContent-Type: x/y\n\nz\n--{boundary}--\n"))
    )
    assert found.get_boundary() == boundary
    assert [one.get_content_type() for one in found.iter_parts()] == ["text/plain", "text/html"]
    assert f"--{boundary}" in part(found, "plain")


def test_files_go_along_whatever_they_are_called() -> None:
    files = [
        File("Plan ä.pdf", "application/pdf", b"%PDF-1.7" * 1000),
        File('../x"\r\nBcc: e@evil.test', "text/plain", b"\r\n.\r\nQUIT\r\n"),
        File("a mail.eml", "message/rfc822", b"Subject: x\n\ny"),
        File("odd", "text/x; name=y\r\nX: y", b""),
    ]
    (one,) = mails(replied(), {})
    found = parsed(render(one, HEAD, delivery=7, created_at=NOON, files=files).content)
    assert found.get_content_type() == "multipart/mixed"
    assert "Water is on its way." in part(found, "plain")
    assert "Water is on its way." in part(found, "html")
    assert found["Bcc"] is None
    told = list(found.iter_attachments())
    assert [each.get_filename() for each in told] == [
        *("Plan ä.pdf", "x_Bcc_ e@evil.test", "a mail.eml", "odd"),
    ]
    assert [each.get_content_type() for each in told] == [
        *("application/pdf", "text/plain", *["application/octet-stream"] * 2),
    ]
    assert [each.get_payload(decode=True) for each in told] == [each.content for each in files]
    assert all(len(line) <= 998 for line in found.as_bytes().splitlines())


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cn")), min_size=1, max_size=40
)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12), WORDS)
def test_any_subject_and_name_arrive_as_they_were(subject: list[str], name: str) -> None:
    contact = Person(id=1, name=name, email="alice@client.test")
    content = raw(opened(subject=" ".join(subject), contact=contact))
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    found = message_from_bytes(content)  # the newer policy has a fault in reading long names
    assert read(found["Subject"]) == f"Ticket created - [TCK-12] - {' '.join(subject)}"
    shown, address = parseaddr(found["To"])
    assert read(shown) == name
    assert address == "alice@client.test"


def read(value: str) -> str:
    return str(make_header(decode_header("".join(value.splitlines()))))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"mail_from": "nobody"}, "DESKWIRE_MAIL_FROM: nobody is not a mail address"),
        ({"reply_address": "a@b..c"}, "DESKWIRE_REPLY_ADDRESS"),
        ({"mail_from": "jörg@example.com"}, "DESKWIRE_MAIL_FROM"),
    ],
)
def test_a_wrong_address_of_our_own_is_told_at_the_start(fields: dict[str, str], says: str) -> None:
    values = {"database_url": "x", "broker_url": "x", "smtp_url": "x", "mail_from": "a@example.com"}
    told = Settings(**values | fields)  # type: ignore[arg-type]  # all of these are texts
    with pytest.raises(SetupError, match=says):
        Letterhead.of(told)
