"""Nobody gets into a ticket by mail who is not of it: attacks as real mails, from the mailbox to
the API, and to the mails that go out."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from launching import maildir
from whole import Whole, drop, mail, told, until, whole

from deskwire import db
from deskwire.local import Smtp
from deskwire.testing import FreshDatabase
from gateway.keys import create_key

ALICE, EVE, MALLORY = "alice@client.test", "eve@evil.test", "mallory@other.test"
FIRST_ID = "<first@client.test>"
AUTHSERV = "mx.example.com"
RESULTS = f"{AUTHSERV}; dmarc="


@dataclass
class Desk:
    running: Whole
    smtp: Smtp
    inbox: Path
    other_client: int
    dropped: int = 0

    def drop(self, message: EmailMessage) -> None:
        drop(self.inbox, message.as_bytes())
        self.dropped += 1

    async def became(self, message: EmailMessage) -> Any:
        """The ledger's row, once something became of the mail."""
        self.drop(message)

        async def handled() -> Any:
            found = (await self.running.api("GET", "/mail/inbound?limit=1&total=true")).json
            rows = [row for row in found["data"] if row["state"] != "received"]
            return rows and found["total"] == self.dropped and rows[0]

        return await until(handled)

    async def seen(self, ticket_id: int) -> tuple[Any, list[Any]]:
        """What may not change, and the timeline."""
        ticket = (await self.running.api("GET", f"/tickets/{ticket_id}")).json
        entries = (await self.running.api("GET", f"/tickets/{ticket_id}/entries")).json["data"]
        kept = {name: ticket[name] for name in ("status", "watchers", "contact", "client")}
        return kept, [
            (entry["kind"], entry["body"]["text"], entry["verified"]) for entry in entries
        ]

    def recipients(self) -> set[str]:
        return {recipient for taken in self.smtp.mails for recipient in taken.recipients}


@dataclass
class Answered:
    """Alice's ticket, and the mail by which she was answered."""

    ticket_id: int
    reference: str
    token: str
    message_id: str


@pytest.fixture
async def desk(
    fresh_database: FreshDatabase, smtp_server: Smtp, tmp_path: Path
) -> AsyncIterator[Desk]:
    inbox = maildir(tmp_path / "inbox")
    settings = told(
        f"memory://{uuid4()}",
        tmp_path,
        mailboxes=[f"maildir:{inbox}"],
        smtp_url=smtp_server.url,
        authserv_id=AUTHSERV,
    )
    async with whole(fresh_database, settings) as running:
        other = await running.created("/clients", {"name": "Other"})
        contact = {"client_id": other["id"], "name": "Mallory", "email": MALLORY}
        await running.created("/contacts", contact | {"primary": True})
        yield Desk(running, smtp_server, inbox, other["id"])


async def answered(desk: Desk) -> Answered:
    opened = await desk.became(attack(ALICE, {"Message-ID": FIRST_ID}, "It is on fire."))
    place = f"/tickets/{opened['ticket_id']}"
    await desk.running.created(f"{place}/entries", {"kind": "public", "body": "The secret is 42."})

    async def arrived() -> Any:
        raws = [taken.raw for taken in desk.smtp.mails if ALICE in taken.recipients]
        found = [raw for raw in raws if b"secret" in raw]
        return found and message_from_bytes(found[0], policy=policy.default)

    told_alice = await until(arrived)
    token = told_alice["Reply-To"].partition("+")[2].partition("@")[0]
    reference = (await desk.running.api("GET", place)).json["reference"]
    return Answered(opened["ticket_id"], reference, token, told_alice["Message-ID"])


def attacks(known: Answered) -> dict[str, Mapping[str, str]]:
    """What somebody tries who knows numbers, and Message-IDs of others, but no token."""
    number, signature = known.token.removeprefix("e").split("-")
    other = f"e{int(number) + 1}-{signature}"
    return {
        "a guessed number": {"Subject": f"Re: [{known.reference}] Printer"},
        "many guessed numbers": {"Subject": "".join(f"[TCK-{n}]" for n in range(1, 9))},
        "foreign references": {"References": FIRST_ID, "In-Reply-To": FIRST_ID},
        "a token of another entry": {"To": f"support+{other}@example.com"},
        "a cut signature": {"To": f"support+{known.token[:-1]}@example.com"},
        "a made-up signature": {"In-Reply-To": f"<e{number}-{'a' * 16}@example.com>"},
        "no signature": {"References": f"<e{number}@example.com>"},
        "a token in the subject": {"Subject": known.token},
        "a name that is an address": {"From": f'"{ALICE}" <{EVE}>'},
        "an address before the address": {"From": f"{ALICE} <{EVE}>"},
        "two authors": {"From": f"{EVE}, {ALICE}"},
        "a sender beside the author": {"Sender": ALICE, "Reply-To": ALICE, "Return-Path": ALICE},
        "control headers": {
            "X-Deskwire-Ticket": str(known.ticket_id),
            "X-Deskwire-Client": "1",
            "X-Deskwire-Accepted": "true",
            "X-Zammad-Ticket-Id": str(known.ticket_id),
            "RT-Ticket": f"example #{known.ticket_id}",
        },
    }


def attack(sender: str, headers: Mapping[str, str], text: str = "Let me in.") -> EmailMessage:
    message = mail("Printer", text, sender=sender, Cc="eve2@evil.test")
    for name, value in headers.items():
        del message[name]
        message[name] = value
    return message


async def test_a_stranger_gets_nowhere(desk: Desk) -> None:
    known = await answered(desk)
    before = await desk.seen(known.ticket_id)
    for name, headers in attacks(known).items():
        row = await desk.became(attack(EVE, headers))
        assert (row["state"], row["ticket_id"]) == ("ignored", None), (name, row)
        assert row["reason"] in {"unknown sender", "no usable sender"}, (name, row)
    await desk.running.settled()
    assert await desk.seen(known.ticket_id) == before
    assert not {each for each in desk.recipients() if "evil" in each}


async def test_a_contact_of_another_client_gets_a_ticket_of_its_own(desk: Desk) -> None:
    """Which the team sees to be possibly related, and nobody of the other client."""
    known = await answered(desk)
    before = await desk.seen(known.ticket_id)
    async with db.connect(desk.running.urls["gateway"], size=1) as database:
        theirs = await create_key(
            database, name="theirs", client_id=desk.other_client, scopes=["tickets:read"]
        )
    named = {"a guessed number", "many guessed numbers", "foreign references"}
    for name, headers in attacks(known).items():
        row = await desk.became(attack(MALLORY, headers))
        if "From" in headers:
            continue  # of a stranger, as above
        assert row["state"] == "ticket", (name, row)
        place = f"/tickets/{row['ticket_id']}"
        ticket = (await desk.running.api("GET", place)).json
        related = known.ticket_id if name in named else None
        assert (ticket["possibly_related"], ticket["client"]["name"]) == (related, "Other"), name
        bearer = {"Authorization": f"Bearer {theirs}"}
        for path in (place, f"{place}/entries", "/tickets"):
            seen = await desk.running.api("GET", path, **bearer)
            assert (seen.status, b"secret" in seen.body) == (200, False), name
            assert b'"possibly_related":%d' % known.ticket_id not in seen.body, name
    await desk.running.settled()
    assert await desk.seen(known.ticket_id) == before
    to_mallory = [taken.raw for taken in desk.smtp.mails if MALLORY in taken.recipients]
    assert to_mallory
    assert not any(b"secret" in raw for raw in to_mallory)
    assert not {each for each in desk.recipients() if "evil" in each}


async def test_a_stolen_token_says_where_and_not_who(desk: Desk) -> None:
    known = await answered(desk)
    place = f"/tickets/{known.ticket_id}"
    assert (await desk.running.api("POST", f"{place}/close", {})).status == 200
    kept, entries = await desk.seen(known.ticket_id)
    stolen = {"To": f"support+{known.token}@example.com", "References": known.message_id}
    row = await desk.became(attack(EVE, stolen))
    assert (row["state"], row["reason"]) == ("reply", "unverified sender")
    note = ("internal", "Let me in.", False)
    assert await desk.seen(known.ticket_id) == (kept, [*entries, note])
    await desk.running.created(f"{place}/entries", {"kind": "public", "body": "What secret?"})
    await desk.running.settled()
    assert not {each for each in desk.recipients() if "evil" in each}
    async with db.connect(desk.running.urls["gateway"], size=1) as database:
        client = desk.running.client_id
        alices = await create_key(database, name="k", client_id=client, scopes=["tickets:read"])
    shown = await desk.running.api("GET", f"{place}/entries", Authorization=f"Bearer {alices}")
    assert b"Let me in." not in shown.body


async def test_a_forged_author_is_held_whatever_else_the_mail_says_of_it(desk: Desk) -> None:
    known = await answered(desk)
    before = await desk.seen(known.ticket_id)
    stolen = {"In-Reply-To": known.message_id}
    forged = {
        "as found": f"{RESULTS}fail header.from=client.test",
        "as found, in another case": "MX.Example.COM; DMARC=FAIL header.from=client.test",
        "not closed": f"{RESULTS}pass (oops header.from=client.test",
    }
    for name, results in forged.items():
        row = await desk.became(attack(ALICE, stolen | {"Authentication-Results": results}))
        assert row["state"] == "quarantined", (name, row)
    message = attack(ALICE, stolen | {"Authentication-Results": forged["as found"]})
    message["Authentication-Results"] = f"{RESULTS}pass header.from=client.test"  # came with it
    assert (await desk.became(message))["state"] == "quarantined"
    assert await desk.seen(known.ticket_id) == before
    message = attack(ALICE, {"Authentication-Results": "mx.evil.test; dmarc=pass"})
    opened = await desk.became(message)
    ticket = (await desk.running.api("GET", f"/tickets/{opened['ticket_id']}")).json
    assert ticket["watchers"] == [], "somebody else's word brings nobody in by Cc"


async def test_headers_from_outside_control_nothing(desk: Desk) -> None:
    headers = {
        "X-Deskwire-Status": "closed",
        "X-Deskwire-Priority": "high",
        "X-Deskwire-Assigned-To": "1",
        "X-Zammad-Ticket-Priority": "3 high",
        "X-OTRS-Priority": "5 very high",
        "RT-Command": "status: resolved",
        "X-Priority": "1",
        "Importance": "high",
    }
    row = await desk.became(attack(ALICE, headers))
    ticket = (await desk.running.api("GET", f"/tickets/{row['ticket_id']}")).json
    shown = (ticket["status"], ticket["priority"], ticket["assigned_to"], ticket["tags"])
    assert shown == ("open", "low", None, [])
