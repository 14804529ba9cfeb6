"""The ways of the data from outside, on both transports: mail in over a maildir and over Dovecot,
HTTP, and mail out to a real SMTP server."""

import email
import email.policy
import imaplib
import itertools
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from launching import maildir
from whole import TEAM, Whole, drop, mail, ticket_of, told, until, whole

from deskwire.contracts.replay import ReplayDocuments
from deskwire.local import Dovecot, Smtp
from deskwire.messaging.broker import connect
from deskwire.messaging.envelope import wrap
from deskwire.testing import FreshDatabase


class Desk:
    """A whole Deskwire with one way for mail to come in, and its mails as they arrive."""

    def __init__(self, running: Whole, smtp: Smtp, deliver: Callable[[bytes], None]) -> None:
        self.running = running
        self.deliver = deliver
        self._smtp = smtp

    async def mail_to(self, recipient: str, *, containing: str = "") -> EmailMessage:
        """The first mail that a recipient got, waiting for it."""

        async def arrived() -> EmailMessage | None:
            for taken in self._smtp.mails:
                if recipient in taken.recipients and containing.encode() in taken.raw:
                    return email.message_from_bytes(taken.raw, policy=email.policy.default)
            return None

        found: EmailMessage = await until(arrived)
        return found

    async def ticket(self, subject: str) -> dict[str, object]:
        async def there() -> dict[str, object] | None:
            tickets = await self.running.tickets()
            return next((t for t in tickets if t["subject"] == subject), None)

        found: dict[str, object] = await until(there)
        return found


@pytest.fixture(params=["memory-maildir", "rabbitmq-imap"])
async def desk(
    request: pytest.FixtureRequest,
    fresh_database: FreshDatabase,
    smtp_server: Smtp,
    tmp_path: Path,
) -> AsyncIterator[Desk]:
    if request.param == "memory-maildir":
        inbox = maildir(tmp_path / "inbox")
        broker, mailbox = f"memory://{uuid4()}", f"maildir:{inbox}"

        def deliver(raw: bytes) -> None:
            drop(inbox, raw)
    else:
        dovecot: Dovecot = request.getfixturevalue("dovecot_server")
        user = f"support-{uuid4().hex}"
        broker, mailbox = request.getfixturevalue("amqp_url"), dovecot.url(user)

        def deliver(raw: bytes) -> None:
            dovecot.append(user, raw)

    settings = told(broker, tmp_path, mailboxes=[mailbox], smtp_url=smtp_server.url)
    async with whole(fresh_database, settings) as running:
        yield Desk(running, smtp_server, deliver)


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def threads(dovecot: Dovecot, mails: Sequence[EmailMessage]) -> int:
    """As how many threads a mail program shows them (RFC 5256): ``(1 (2)(3 4))(5)`` are two."""
    user = f"client-{uuid4().hex}"
    for each in mails:
        dovecot.append(user, each.as_bytes())
    place = urlsplit(dovecot.url(user))
    with imaplib.IMAP4(place.hostname or "", place.port or 143) as client:
        client.login(place.username or "", place.password or "")
        client.select("INBOX", readonly=True)
        _, (found,) = client.thread("REFERENCES", "UTF-8", "ALL")
    inside = itertools.accumulate({"(": 1, ")": -1}.get(each, 0) for each in found.decode())
    return sum(depth == 0 for depth in inside)


async def test_a_mail_becomes_a_ticket_and_an_answer_goes_back(
    desk: Desk, dovecot_server: Dovecot
) -> None:
    """Five rounds, one ticket, one thread; each mail quotes the one before it, and no other."""
    subject = f"Printer {uuid4().hex[:8]}"
    first = latest = mail(subject)
    desk.deliver(first.as_bytes())
    created = await desk.mail_to("alice@client.test", containing=subject)
    team = await desk.mail_to(TEAM, containing=subject)
    assert created["Auto-Submitted"] == "auto-generated"
    assert ticket_of(created["Subject"]) == ticket_of(team["Subject"])
    ticket = await desk.ticket(subject)
    assert ticket["reference"] == ticket_of(created["Subject"])

    seen = [first, created]
    said = "It is on fire."
    for round_number in range(1, 6):
        question = f"question {round_number}"
        answer = f"answer {round_number}"
        await desk.running.created(
            f"/tickets/{ticket['id']}/entries", {"kind": "public", "body": question}
        )
        reply = await desk.mail_to("alice@client.test", containing=question)
        assert reply["In-Reply-To"] == latest["Message-ID"]
        assert reply["References"].split()[0] == first["Message-ID"]
        assert set(reply["References"].split()) <= {each["Message-ID"] for each in seen}
        assert reply["Subject"] == f"Re: [{ticket['reference']}] - {subject}"
        text = text_of(reply)
        assert re.findall("^> .*", text, re.MULTILINE) == [f"> {said}"]
        said = answer
        latest = mail(
            f"Re: {reply['Subject']}",
            f"{answer}\n\nOn 3 May 2024, Support wrote:\n{text.replace('##-', '--')}",
            In_Reply_To=reply["Message-ID"],
            References=f"{reply['References']} {reply['Message-ID']}",
        )
        seen += reply, latest
        desk.deliver(latest.as_bytes())
        await until(partial(_has_entry, desk.running, ticket["id"], answer))
    assert len([t for t in await desk.running.tickets() if t["subject"] == subject]) == 1
    assert threads(dovecot_server, [*seen, mail("Another matter")]) == 2


async def _has_entry(running: Whole, ticket_id: object, text: str) -> bool:
    entries = (await running.api("GET", f"/tickets/{ticket_id}/entries")).json["data"]
    return any(e["kind"] == "client" and text in e["body"]["text"] for e in entries)


async def test_a_ticket_by_the_api_is_mailed_and_answered_by_mail(desk: Desk) -> None:
    body = {"subject": "Scanner", "body": "It hums.", "client_id": desk.running.client_id}
    ticket = await desk.running.created("/tickets", body)
    created = await desk.mail_to("alice@client.test", containing="Scanner")
    keeps_no_references = mail("hm", "It sings now.", To=created["Reply-To"])
    desk.deliver(keeps_no_references.as_bytes())
    await until(lambda: _has_entry(desk.running, ticket["id"], "It sings now."))


async def test_a_stranger_is_ignored_with_the_reason(desk: Desk) -> None:
    desk.deliver(mail("Cheap printers", sender="eve@evil.test").as_bytes())

    async def ignored() -> str | None:
        rows = await desk.running.query(
            "mail-ingest-svc", "SELECT reason FROM mails WHERE state = 'ignored'"
        )
        return rows[0]["reason"] if rows else None

    assert await until(ignored) == "unknown sender"
    assert await desk.running.tickets() == []


async def test_a_scheduled_ticket_opens_by_itself(desk: Desk) -> None:
    schedule = {
        "name": "Backups",
        "every": "weekly",
        "starts_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat(),
        "timezone": "Europe/Berlin",
        "ticket": {
            "subject": "Check the backups",
            "body": "All of them.",
            "client_id": desk.running.client_id,
        },
    }
    await desk.running.created("/scheduled-tickets", schedule)
    ticket = await desk.ticket("Check the backups")
    assert ticket["source"] == "schedule"
    await desk.mail_to("alice@client.test", containing="Check the backups")
    await desk.running.settled()
    assert len(await desk.running.tickets()) == 1


async def test_a_long_mail_travels_as_a_blob_and_comes_back_whole(desk: Desk) -> None:
    text = "0123456789 äöü " * 20_000
    desk.deliver(mail("Long", text).as_bytes())
    ticket = await desk.ticket("Long")
    whole_ticket = (await desk.running.api("GET", f"/tickets/{ticket['id']}")).json
    assert whole_ticket["body"]["text"].split() == text.split()


async def test_the_read_model_is_rebuilt_from_its_owner(desk: Desk) -> None:
    for number in range(5):
        body = {"subject": f"T{number}", "body": "x", "client_id": desk.running.client_id}
        await desk.running.created("/tickets", body)
    await desk.running.settled()
    before = await desk.running.tickets("&sort=number")
    deliveries = (await desk.running.api("GET", "/mail/outbound")).json["data"]
    assert [each["state"] for each in deliveries] == ["sent"] * 10  # to the client and to the team
    await desk.running.query("gateway", "TRUNCATE tickets, entries, records, deliveries")
    assert await desk.running.tickets() == []
    await _reproject(desk.running)

    async def back() -> bool:
        told = (await desk.running.api("GET", "/mail/outbound")).json["data"]
        return await desk.running.tickets("&sort=number") == before and told == deliveries

    await until(back)


async def _reproject(running: Whole) -> None:
    async with connect(running.told["broker_url"]) as broker:
        await broker.publish(wrap(ReplayDocuments()))


async def test_files_come_by_mail_and_by_upload(desk: Desk) -> None:
    message = mail("a file")
    message.add_attachment(b"%PDF-1.7", maintype="text", subtype="html", filename="report.pdf")
    desk.deliver(message.as_bytes())
    place = f"/tickets/{(await desk.ticket('a file'))['id']}/entries"
    answer = await desk.running.api(
        "POST", "/attachments?name=reply.txt", b"Thanks.", Content_Type="image/png"
    )
    assert (answer.status, answer.json["type"]) == (201, "text/plain"), answer.body
    reply = {"body": "Read it.", "attachment_ids": [answer.json["id"]]}
    await desk.running.created(place, reply)

    async def read(entry: dict[str, Any]) -> tuple[str, bytes]:
        (file,) = entry["attachments"]
        return file["name"], (await desk.running.api("GET", f"/attachments/{file['id']}")).body

    entries = (await desk.running.api("GET", place)).json["data"]
    assert [await read(entry) for entry in entries] == [
        ("report.pdf", b"%PDF-1.7"),
        ("reply.txt", b"Thanks."),
    ]
