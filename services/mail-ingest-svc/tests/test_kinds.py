"""Who wrote a mail: what is known from its headers, its report, or its words."""

import pytest

from deskwire.contracts.mail import Undelivered
from mail_ingest_svc.parse import ParsedMail, parse

DSN = """
From: MAILER-DAEMON@mx.example.net
Return-Path: <>
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

I am sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Original-Recipient: rfc822;Jane@Example.org
Final-Recipient: rfc822; jane@inner.example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <jane@inner.example.org>: Recipient address
 rejected: User unknown

Final-Recipient: rfc822; full@example.org
Action: delayed
Status: 4.2.2
--b
Content-Type: text/rfc822-headers

Message-ID: <e1-token@example.com>
Subject: Re: [TCK-1]
--b--
"""


def mail(headers: str, text: str = "") -> ParsedMail:
    return parse(f"{headers}\n\n{text}".encode())


@pytest.mark.parametrize(
    ("header", "kind", "reason"),
    [
        ("From: Jane <jane@example.org>", "person", None),
        ("Auto-Submitted: auto-replied (vacation)", "auto-reply", "Auto-Submitted"),
        ("Auto-Submitted: auto-generated", "automatic", "Auto-Submitted"),
        ("Auto-Submitted: no", "person", None),
        ("Subject: Automatic reply: printer", "auto-reply", "Subject"),
        ("Subject: Abwesenheitsnotiz: Drucker", "auto-reply", "Subject"),
        ("Subject: =?utf-8?q?R=C3=A9ponse_automatique?=", "auto-reply", "Subject"),
        ("Subject: Automatic reply", "auto-reply", "Subject"),
        ("Subject: Abwesend bis 5.12.", "auto-reply", "Subject"),
        ("Subject: Out of Office AutoReply: printer", "auto-reply", "Subject"),
        ("Subject: The automatic reply does not work", "person", None),
        ("Subject: Out of office does not work", "person", None),
        ("Subject: Re: Out of office does not work", "person", None),
        ("Subject: Abwesenheitsnotiz einrichten", "person", None),
        ("Subject: Absent employee: disable the account", "person", None),
        ("Subject: Out of office, I am\nIn-Reply-To: <1@x.test>", "auto-reply", "Subject"),
        ("Subject: Abwesenheit Max\nReferences: <1@x.test>", "auto-reply", "Subject"),
        ("Subject: Undeliverable parcel in the hall", "person", None),
        ("Subject: Read: your mail\nAuto-Submitted: auto-replied", "receipt", "Subject"),
        ("Subject: Read: this first", "person", None),
        ("Precedence: bulk", "list", "Precedence"),
        ("Precedence: auto_reply", "auto-reply", "Precedence"),
        ("Precedence: first-class", "person", None),
        ("X-Auto-Response-Suppress: DR, OOF", "automatic", "X-Auto-Response-Suppress"),
        ("X-Auto-Response-Suppress: DR", "person", None),
        ("Return-Path: <>", "automatic", "Return-Path"),
        ("Return-Path: <jane@example.org>", "person", None),
        ("List-Id: <list.example.org>", "list", "List-Id"),
        ("List-Unsubscribe: <mailto:u@example.org>", "list", "List-Unsubscribe"),
        ("Content-Type: multipart/report; boundary=b", "automatic", "Content-Type"),
        ("From: MAILER-DAEMON@example.org", "automatic", "From"),
        ("From: no-reply+x@example.org", "automatic", "From"),
        ("From: noreplyson@example.org", "person", None),
        ("X-Loop: support@example.org", "loop", "X-Loop"),
        ("X-Deskwire-Loop: support@example.com", "loop", "X-Deskwire-Loop"),
    ],
)
def test_headers_tell_what_a_mail_is(header: str, kind: str, reason: str | None) -> None:
    parsed = mail(header)
    assert (parsed.kind, parsed.automatic) == (kind, reason)


def test_what_a_list_of_our_own_brings_is_as_it_was_sent() -> None:
    """Our address may be a group, which adds what lists add."""
    post = "List-Id: <support.example.com>\nList-Post: <https://x.test>, <mailto:{}>"
    group = f"From: jane@example.org\nPrecedence: list\n{post.format('Support@example.com')}"
    own = frozenset({"support@example.com"})
    assert parse(f"{group}\n\nHelp.".encode(), own).kind == "person"
    away = f"{group}\nAuto-Submitted: auto-replied\n\nAway.".encode()
    assert parse(away, own).kind == "auto-reply"
    other = group.replace("Support@example.com", "all@example.com")
    assert parse(f"{other}\n\nNews.".encode(), own).kind == "list"


def test_our_own_mails_are_known_and_those_of_another_deskwire_are_not() -> None:
    own = frozenset({"support@example.com"})
    assert parse(b"From: Support@example.com\n\n", own).kind == "own"
    assert parse(b"X-Deskwire-Loop: support@example.com\n\n", own).kind == "loop"
    assert parse(b"X-Deskwire-Loop: help@other.example\n\n", own).kind == "person"


def test_a_delivery_report_names_each_recipient() -> None:
    parsed = parse(DSN.strip().encode())
    assert (parsed.kind, parsed.automatic) == ("bounce", "message/delivery-status")
    assert parsed.bounced_id == "e1-token@example.com"
    assert parsed.undelivered == (
        Undelivered(address="Jane@Example.org", status="5.1.1", cause="userunknown", hard=True),
        Undelivered(address="full@example.org", status="4.2.2", cause="mailboxfull"),
    )


@pytest.mark.parametrize(
    ("address", "status", "cause", "text"),
    [
        (
            "jane@example.org",
            "5.1.1",
            "userunknown",
            """<jane@example.org>:
Remote host said: 550 5.1.1 no such user

--- Below this line is a copy of the message.

Return-Path: <spam@example.com>""",
        ),
        (
            "jane@example.org",
            "5.0.922",
            "mailboxfull",
            "Your mail to <jane@example.org> was returned to sender: mailbox is full.",
        ),
        (
            "jane@example.org",
            "5.0.910",
            "filtered",
            """  jane@example.org
    SMTP error from remote mail server after end of data:
    host mx.example.org: 550 User unknown""",
        ),
        (
            "jane@example.org",
            "5.1.8",
            "rejected",
            """jane@example.org
  SMTP error after MAIL FROM:<support@example.com>:
  550 5.1.8 No such domain""",
        ),
        (
            "jane@example.org",
            "4.0.947",
            "expired",
            "Delivery to jane@example.org failed: 421 host not found",
        ),
        ("", "5.0.900", "undefined", "Delivery failed. Contact <help@example.net>."),
    ],
)
def test_words_tell_where_there_is_no_report(
    address: str, status: str, cause: str, text: str
) -> None:
    parsed = mail("From: MAILER-DAEMON@example.net\nSubject: failure notice", text)
    hard = cause == "userunknown"
    assert parsed.kind == "bounce"
    assert parsed.undelivered == (
        Undelivered(address=address, status=status, cause=cause, hard=hard),
    )


def test_the_same_words_from_a_person_are_a_question() -> None:
    parsed = mail("From: jane@example.org\nSubject: failure notice", "<bob@example.net>: 550 gone")
    assert (parsed.kind, parsed.undelivered) == ("person", ())


def test_a_success_is_told_as_such() -> None:
    parsed = parse(DSN.replace("Action: failed\nStatus: 5.1.1", "Action: relayed").encode())
    assert [u.cause for u in parsed.undelivered] == ["delivered", "mailboxfull"]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("message/feedback-report", "feedback"),
        ("message/disposition-notification", "receipt"),
    ],
)
def test_reports_of_other_kinds(part: str, kind: str) -> None:
    inner = f"--b\n\nx\n--b\nContent-Type: {part}\n\nFeedback-Type: abuse\n--b--"
    parsed = mail("Content-Type: multipart/report; boundary=b", inner)
    assert (parsed.kind, parsed.automatic) == (kind, part)


def test_amazons_notifications() -> None:
    told = (
        '{"notificationType":"Bounce","bounce":{"bouncedRecipients":[{"emailAddress":'
        '"jane@example.org","action":"failed","status":"5.1.1",'
        '"diagnosticCode":"smtp; 550 5.1.1 user unknown"}]}}'
    )
    parsed = mail("From: no-reply@sns.example", told)
    assert parsed.kind == "bounce"
    assert parsed.undelivered[0].cause == "userunknown"
    assert mail("From: no-reply@sns.example", '{"notificationType": [' * 9000).kind == "automatic"
