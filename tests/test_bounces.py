"""Mails of ours that come back, from outside: sent by SMTP, returned into an IMAP mailbox."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from test_notifications import ALICE, ANN, Desk, issued
from whole import TEAM, told, until, whole

from deskwire import db
from deskwire.local import Dovecot, Mail
from deskwire.testing import FreshDatabase
from gateway.keys import create_key

PAY = "pay@client.test"

BOUNCE = """Return-Path: <>
From: MAILER-DAEMON@mx.client.test (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.client.test. Your message could not be delivered.

--b
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.client.test

Final-Recipient: rfc822; {recipient}
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} User unknown

--b
Content-Description: Undelivered Message
Content-Type: {kind}

{returned}
--b--
"""


@dataclass
class Post(Desk):
    deliver: Callable[[bytes], None]

    def sent_to(self, recipient: str, template: str) -> Mail:
        """As it left: its envelope, and the mail."""
        return next(m for m in self.smtp.mails if recipient in m.recipients and template in str(m))

    async def ledger(self, reason: str) -> list[Any]:
        found = (await self.running.api("GET", "/mail/inbound?limit=200")).json["data"]
        return [each for each in found if reason in each["reason"]]

    async def suppressed(self) -> list[str]:
        found = (await self.running.api("GET", "/suppressions")).json["data"]
        return [each["email"] for each in found]


@pytest.fixture
async def post(
    fresh_database: FreshDatabase, smtp_server: Any, dovecot_server: Dovecot, tmp_path: Path
) -> AsyncIterator[Post]:
    user = f"support-{uuid4().hex}"
    settings = told(
        f"memory://{uuid4()}",
        tmp_path,
        mailboxes=[dovecot_server.url(user)],
        smtp_url=smtp_server.url,
    )
    async with whole(fresh_database, settings) as running:
        ann = (await running.api("GET", "/agents")).json["data"][0]["id"]
        contact = {"client_id": running.client_id, "name": "Pay", "email": PAY, "billing": True}
        await running.created("/contacts", contact)
        yield Post(running, smtp_server, tmp_path, ann, partial(dovecot_server.append, user))


def bounce(of: Mail, *, whole: bool = True, status: str = "5.1.1") -> bytes:
    """What a mail server makes of it; not ``whole``: it does not return it."""
    return BOUNCE.format(
        to=of.sender,
        recipient=of.recipients[0],
        status=status,
        kind="message/rfc822" if whole else "text/plain",
        returned=of.raw.decode().replace("\r\n", "\n") if whole else "It is too long.",
    ).encode()


async def as_agent(post: Post) -> None:
    """What is done from now on is done by Ann."""
    async with db.connect(post.running.urls["gateway"], size=1) as database:
        post.running.key = await create_key(
            database, name="ann", scopes=["admin"], agent_id=post.ann
        )


@pytest.mark.parametrize("whole", [True, False], ids=["with-the-mail", "by-its-address-alone"])
async def test_an_invoice_that_came_back_is_known_everywhere(post: Post, whole: bool) -> None:
    await as_agent(post)
    reference = await issued(post, invoice_mails=True)
    await post.mail_to(PAY, "Rechnung")
    await post.running.settled()
    sent = post.sent_to(PAY, "Rechnung")
    assert sent.sender.startswith("support+i1-")
    post.deliver(bounce(sent, whole=whole))
    told = await post.mail_to(ANN, "Mail not delivered")
    assert told["Subject"] == f"Mail not delivered - Invoice {reference}"
    body = told.get_body(("plain",))
    assert body is not None
    assert f"did not reach {PAY}" in body.get_content()
    assert "> bounced: 5.1.1 userunknown" in body.get_content()
    (back,) = await until(partial(post.outbound, "state=bounced"))
    assert (back["template"], back["recipient"], back["invoice_id"]) == ("invoice", PAY, 1)
    assert back["answer"] == "bounced: 5.1.1 userunknown"
    assert await until(post.suppressed) == [PAY]
    contacts = (await post.running.api("GET", f"/contacts?email={PAY}")).json["data"]
    assert contacts[0]["undeliverable"] == "5.1.1 userunknown"
    place = f"/contacts/{contacts[0]['id']}"
    reached = (await post.running.api("PATCH", place, {"undeliverable": None})).json
    assert (reached["undeliverable"], reached["name"]) == (None, "Pay")
    (known,) = await until(partial(post.ledger, f"of the invoice {reference}"))
    assert (known["state"], known["ticket_id"]) == ("ignored", None)


async def test_the_team_hears_of_an_invoice_that_no_agent_issued(post: Post) -> None:
    post.smtp.script = lambda command, to: (
        "550 5.7.1 not from you" if (command, to) == ("RCPT", PAY) else None
    )
    reference = await issued(post, invoice_mails=True)
    told = await post.mail_to(TEAM, "Mail not delivered")
    assert told["Subject"] == f"Mail not delivered - Invoice {reference}"
    assert "550 5.7.1 not from you" in told.as_string()
    (failed,) = await until(partial(post.outbound, "state=failed"))
    assert failed["template"] == "invoice"
    assert await post.suppressed() == []


async def test_a_digest_that_came_back_is_known(post: Post) -> None:
    wants = {"events": {"assigned": "daily"}}
    place = f"/agents/{post.ann}/notifications"
    version = (await post.running.api("GET", place)).headers["etag"]
    changed = await post.running.api("PUT", place, wants, If_Match=version)
    assert changed.status == 200, changed.body
    await post.ticket(assigned_to=post.ann)
    await post.running.settled()
    due = "UPDATE deliveries SET next_attempt_at = now() WHERE template = 'digest'"
    await post.running.query("notify-svc", due)
    await post.mail_to(ANN, "happened on your tickets")
    await post.running.settled()
    post.deliver(bounce(post.sent_to(ANN, "happened on your tickets")))
    (back,) = await until(partial(post.outbound, "state=bounced"))
    assert (back["template"], back["recipient"]) == ("digest", ANN)
    assert await until(post.suppressed) == [ANN]
    assert await until(partial(post.ledger, "of a digest"))


async def test_forged_bounces_do_nothing(post: Post) -> None:
    await issued(post, invoice_mails=True)
    await post.mail_to(PAY, "Rechnung")
    await post.running.settled()
    sent = post.sent_to(PAY, "Rechnung")
    token = sent.sender.partition("+")[2].partition("@")[0]
    signature = token.partition("-")[2]
    guesses = (
        "invoice.1",
        f"i2-{signature}",
        f"e1-{signature}",
        f"i1-{signature[::-1]}",
        f"digest.1.{'0' * 20}",
        f"digest.{'0' * 20}",
    )
    for guess in guesses:
        raw = sent.raw.replace(token.encode(), guess.encode())
        forged = sent._replace(sender=f"support+{guess}@example.com", raw=raw)
        post.deliver(bounce(forged))
    found = await until(partial(all_of, post, len(guesses)))
    assert {each["state"] for each in found} == {"ignored"}
    await post.running.settled()
    assert await post.outbound("state=bounced") == []
    assert await post.suppressed() == []
    contacts = (await post.running.api("GET", f"/contacts?email={PAY}")).json["data"]
    assert contacts[0]["undeliverable"] is None


async def test_who_has_a_mail_of_a_ticket_cannot_stop_those_to_its_team(post: Post) -> None:
    """They know its token, and how mails to the team are called."""
    await post.ticket()
    await post.mail_to(ALICE, "Ticket created")
    await post.mail_to(TEAM, "New ticket")
    await post.running.settled()
    to_client, to_team = post.sent_to(ALICE, "Ticket created"), post.sent_to(TEAM, "New ticket")
    (token,) = set(re.findall(rb"e1-[a-z2-7]{16}", to_client.raw))
    forged = to_client.raw.replace(b"<" + token, b"<new." + token)
    post.deliver(bounce(to_client._replace(raw=forged, recipients=(TEAM,))))
    await until(partial(all_of, post, 1))
    await post.running.settled()
    assert await post.outbound("state=bounced") == []
    post.deliver(bounce(to_team))
    (back,) = await until(partial(post.outbound, "state=bounced"))
    assert back["recipient"] == TEAM
    assert await until(post.suppressed) == [TEAM]


async def all_of(post: Post, count: int) -> list[Any]:
    found = await post.ledger("bounce: ")
    return found if len(found) == count else []


async def test_what_may_still_arrive_is_left(post: Post) -> None:
    await issued(post, invoice_mails=True)
    await post.mail_to(PAY, "Rechnung")
    await post.running.settled()
    post.deliver(bounce(post.sent_to(PAY, "Rechnung"), status="4.2.2"))
    assert await until(partial(post.ledger, "of the invoice"))
    await post.running.settled()
    assert await post.outbound("state=bounced") == []
