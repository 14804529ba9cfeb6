"""The ledger over HTTP: what came in, and what people decide about it."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from launching import maildir
from whole import Answer, Whole, drop, mail, told, until, whole

from deskwire import db
from deskwire.testing import FreshDatabase
from gateway.keys import create_key
from mail_ingest_svc.mailbox import sweep

STRANGER = "eve@evil.test"


@pytest.fixture
async def running(
    fresh_database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Whole]:
    monkeypatch.setattr(sweep, "EVERY_SECONDS", 0.2)
    inbox = maildir(tmp_path / "inbox")
    told_of = {"mailboxes": [f"maildir:{inbox}"], "raw_mail_days": 30}
    settings = told(f"memory://{uuid4()}", tmp_path, **told_of)
    async with whole(fresh_database, settings) as running:
        yield running


async def listed(running: Whole, query: str) -> list[Any]:
    answer = await running.api("GET", f"/mail/inbound?{query}")
    assert answer.status == 200, answer.body
    return list(answer.json["data"])


async def first(running: Whole, query: str) -> Any:
    """Once there is one."""
    return (await until(partial(listed, running, query)))[0]


async def decide(running: Whole, mail_id: int, what: str, body: object = None) -> Answer:
    return await running.api("POST", f"/mail/inbound/{mail_id}/{what}", body)


async def test_a_strangers_mail_is_found_read_and_accepted(running: Whole, tmp_path: Path) -> None:
    raw = mail("Cheap printers", sender=STRANGER).as_bytes()
    drop(tmp_path / "inbox", raw)
    known = mail("Printer").as_bytes()
    drop(tmp_path / "inbox", known)
    found = await first(running, f"state=ignored&sender={STRANGER.upper()}")
    assert (found["reason"], found["subject"]) == ("unknown sender", "Cheap printers")
    assert "raw_id" not in found
    place = f"/mail/inbound/{found['id']}"
    read = await running.api("GET", place)
    assert (read.json, read.headers["etag"]) == (found, f'"{found["version"]}"')
    download = await running.api("GET", f"{place}/raw")
    assert download.body == raw
    assert download.headers["content-type"] == "message/rfc822"
    assert download.headers["content-disposition"].startswith("attachment;")
    again = await running.api("GET", f"{place}/raw", If_None_Match=download.headers["etag"])
    assert (again.status, again.body) == (304, b"")

    taken = await decide(running, found["id"], "accept", {"client_id": running.client_id})
    assert (taken.status, taken.json["state"]) == (200, "received")
    ticket = await first(running, f"state=ticket&sender={STRANGER}")
    opened = (await running.api("GET", f"/tickets/{ticket['ticket_id']}")).json
    assert (opened["client"]["id"], opened["contact"]["email"]) == (running.client_id, STRANGER)
    assert (await decide(running, found["id"], "accept", {})).status == 409
    mailbox = ticket["mailbox"]
    assert len(await until(partial(listed, running, f"mailbox={mailbox}&state=ticket"))) == 2
    assert await listed(running, f"ticket_id={ticket['ticket_id']}") == [ticket]
    assert await listed(running, f"seen_after={ticket['seen_at']}&sender={STRANGER}") == []


async def test_what_is_ignored_is_retried_or_discarded(running: Whole) -> None:
    ids = []
    for subject in ("First", "Second"):
        raw = mail(subject, sender="bob@new.test").as_bytes()
        sent: dict[str, str] = {"Idempotency_Key": subject, "Content_Type": "message/rfc822"}
        made = await running.api("POST", "/mail/inbound", raw, **sent)
        assert (made.status, made.json["mailbox"]) == (201, "upload")
        again = await running.api("POST", "/mail/inbound", raw, **sent)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json["id"] == made.json["id"]
        ids.append(made.json["id"])
    await until(lambda: _count(running, "ignored", 2))
    discarded = await decide(running, ids[0], "discard")
    assert discarded.json["reason"] == "discarded: unknown sender"
    contact = {"client_id": running.client_id, "name": "Bob", "email": "bob@new.test"}
    await running.created("/contacts", contact)
    assert (await decide(running, ids[1], "retry")).json["state"] == "received"
    ticket = await first(running, "state=ticket")
    assert (ticket["id"], ticket["subject"]) == (ids[1], "Second")
    assert ticket["decided_by"]["name"] == "tests"
    assert (await running.api("POST", "/mail/inbound", b"")).status == 422


async def test_a_mail_is_gone_in_time(running: Whole) -> None:
    sent = {"Content_Type": "message/rfc822"}
    made = await running.api("POST", "/mail/inbound", mail("Printer").as_bytes(), **sent)
    place = f"/mail/inbound/{made.json['id']}"
    await first(running, "state=ticket")
    assert (await running.api("GET", f"{place}/raw")).status == 200
    long_ago = "UPDATE mails SET handled_at = handled_at - interval '31 days'"
    await running.query("mail-ingest-svc", long_ago)

    async def deleted() -> Any:
        return (await running.api("GET", place)).json["raw_deleted_at"]

    assert await until(deleted)
    gone = await running.api("GET", f"{place}/raw")
    assert (gone.status, gone.json["code"]) == (410, "gone")
    assert gone.json["detail"].startswith(f"mail {made.json['id']} was kept until 20")


async def _count(running: Whole, state: str, count: int) -> bool:
    return len(await listed(running, f"state={state}")) == count


async def test_a_clients_key_sees_none_of_it(running: Whole) -> None:
    async with db.connect(running.urls["gateway"], size=1) as database:
        bound = await create_key(
            database, "bound", scopes=["mail:read", "mail:write"], client_id=running.client_id
        )
    headers = {"Authorization": f"Bearer {bound}"}
    for path in ("/mail/inbound", "/mail/inbound/1", "/mail/inbound/1/raw"):
        assert (await running.api("GET", path, **headers)).status == 403
    for path in ("", "/1/retry", "/1/accept", "/1/discard"):
        assert (await running.api("POST", f"/mail/inbound{path}", {}, **headers)).status == 403


BOUNCE = """From: MAILER-DAEMON@client.test
To: support@example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver your mail.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.client.test

Final-Recipient: rfc822; alice@client.test
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown

--b
Content-Type: text/rfc822-headers

Message-ID: {message_id}
Subject: Ticket created

--b--
"""


async def test_a_bounce_is_known_everywhere(running: Whole, tmp_path: Path) -> None:
    """On the ticket, at the contact, and at the delivery."""
    body = {"subject": "Scanner", "body": "It hums.", "client_id": running.client_id}
    ticket = await running.created("/tickets", body)
    sent = await until(partial(_deliveries, running, ticket["id"], "sent"))
    contact = next(each for each in sent if each["recipient"] == "alice@client.test")
    drop(tmp_path / "inbox", BOUNCE.format(message_id=contact["message_id"]).encode())
    back = await until(partial(_deliveries, running, ticket["id"], "bounced"))
    assert [(each["id"], each["answer"]) for each in back] == [
        (contact["id"], "bounced: 5.1.1 userunknown")
    ]
    found = await first(running, f"ticket_id={ticket['id']}")
    assert (found["state"], found["reason"]) == ("reply", "bounce: message/delivery-status")
    await running.settled()
    entries = (await running.api("GET", f"/tickets/{ticket['id']}/entries")).json["data"]
    assert [entry["kind"] for entry in entries][-1] == "internal"
    assert entries[-1]["body"]["text"].startswith("A mail was not delivered to alice@client.test")
    contacts = (await running.api("GET", "/contacts?email=alice@client.test")).json["data"]
    assert contacts[0]["undeliverable"] == "5.1.1 userunknown"


async def _deliveries(running: Whole, ticket_id: int, state: str) -> list[Any]:
    answer = await running.api("GET", f"/mail/outbound?ticket_id={ticket_id}&state={state}")
    return list(answer.json["data"])
