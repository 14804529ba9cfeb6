"""Machines that write to each other fall silent after three mails, and a thousand mails from one
address cost nobody else: through the whole way."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from launching import maildir
from whole import TEAM, Whole, drop, mail, told, until, whole

from deskwire.local import Smtp, smtp
from deskwire.testing import FreshDatabase

A, B = "support@a.test", "support@b.test"
OURS = "support@example.com"
MOST = 3

OF_MACHINES = "Auto-Submitted|X-Auto-Response-Suppress|Precedence|X-Deskwire-Loop|List-[a-z-]+"
OF_THREADS = "In-Reply-To|References|Reply-To|Message-ID"


class Desk:
    """A whole desk, what it sends, and the mailbox that it reads."""

    def __init__(self, running: Whole, server: Smtp, inbox: Path) -> None:
        self.running, self.inbox = running, inbox
        self._server, self._seen = server, 0

    def sent(self) -> list[tuple[str, bytes]]:
        """What it sent since this was asked last, to whom; not to its own people."""
        mails = self._server.mails[self._seen :]
        self._seen += len(mails)
        own = {TEAM, "ann@example.com"}
        return [(to, m.raw) for m in mails for to in m.recipients if to not in own]


@asynccontextmanager
async def desk_at(address: str, fresh_database: FreshDatabase, folder: Path) -> AsyncIterator[Desk]:
    inbox = maildir(folder / "inbox")
    await well_within_an_hour()
    with smtp() as server:
        more = {"mail_from": address, "mail_domain": address.partition("@")[2]}
        boxes = [f"maildir:{inbox}"]
        settings = told(f"memory://{uuid4()}", folder, mailboxes=boxes, smtp_url=server.url, **more)
        async with whole(fresh_database, settings) as running:
            await set_budgets(running)
            yield Desk(running, server, inbox)


async def well_within_an_hour() -> None:
    """Budgets are of hours of the clock."""
    left = 3600 - time.time() % 3600
    if left < 30:
        await asyncio.sleep(left)


async def set_budgets(running: Whole) -> None:
    """As they are without a word."""
    usual = {"tickets_per_sender": None, "acknowledgements_per_sender": None}
    changed = await running.api("PATCH", "/settings", usual, If_Match='"2"')
    assert changed.status == 200, changed.body


def without(names: str, raw: bytes) -> bytes:
    field = rf"^(?:{names}):.*\r\n(?:[ \t].*\r\n)*"
    return re.sub(field.encode(), b"", raw, flags=re.MULTILINE | re.IGNORECASE)


def as_it_is(raw: bytes) -> bytes:
    return raw


def as_of_a_person(raw: bytes) -> bytes:
    """From a desk that does not say that it is a machine."""
    return without(OF_MACHINES, raw)


def as_of_nothing(raw: bytes) -> bytes:
    """From a desk that does not say what it answers, either."""
    bare = re.sub(rb"\[TCK-\d+\]\s*", b"", without(f"{OF_MACHINES}|{OF_THREADS}", raw))
    return b"Message-ID: <%s@relay.test>\r\n" % uuid4().hex.encode() + bare


@pytest.mark.parametrize(
    ("relay", "in_all"), [(as_it_is, MOST), (as_of_a_person, MOST), (as_of_nothing, 1 + 2 * MOST)]
)
async def test_two_helpdesks_fall_silent(
    fresh_database: FreshDatabase, tmp_path: Path, relay: Callable[[bytes], bytes], in_all: int
) -> None:
    """After a ticket that a person opened at one of them. Where nothing is told by any mail each of
    them acknowledges three."""
    async with (
        desk_at(A, fresh_database, tmp_path / "a") as a,
        desk_at(B, fresh_database, tmp_path / "b") as b,
    ):
        await knows(b, A)
        await open_for(a, await knows(a, B))
        sent = 0
        while True:
            await asyncio.gather(a.running.settled(), b.running.settled())
            mails = [(b, mail) for mail in a.sent()] + [(a, mail) for mail in b.sent()]
            if not mails:
                break
            sent += len(mails)
            for there, (_, raw) in mails:
                drop(there.inbox, relay(raw))
            await asyncio.gather(taken_in(a), taken_in(b))
        assert 1 <= sent <= in_all


async def knows(desk: Desk, address: str) -> Any:
    contact = {"client_id": desk.running.client_id, "name": "Somebody", "email": address}
    return await desk.running.created("/contacts", contact)


async def open_for(desk: Desk, contact: Any) -> None:
    ids = {"client_id": desk.running.client_id, "contact_id": contact["id"]}
    await desk.running.created("/tickets", {"subject": "Printer", "body": "It hums."} | ids)


async def taken_in(desk: Desk) -> None:
    """Everything that lies in its mailbox."""

    async def empty() -> bool:
        return not any((desk.inbox / "new").iterdir())

    await until(empty)


# Who answers whatever it gets.


def out_of_office(got: Message) -> EmailMessage:
    return answer(got, "I am away.", Auto_Submitted="auto-replied", In_Reply_To=got["Message-ID"])


def out_of_office_in_words(got: Message) -> EmailMessage:
    return answer(got, "I am away.", Subject="Automatic reply: " + str(got["Subject"]))


def forgetful(got: Message) -> EmailMessage:
    """Neither says that it is a machine nor what it answers."""
    return answer(got, "Thank you for your mail.", Subject="Thank you")


def polite(got: Message) -> EmailMessage:
    """A person's answer by all that it says, but at each mail."""
    return answer(got, "Thank you.", In_Reply_To=got["Message-ID"], References=got["Message-ID"])


def mailing_list(got: Message) -> EmailMessage:
    return answer(got, "To all", List_Id="<all.client.test>", Precedence="list")


def gone(got: Message) -> EmailMessage:
    told = answer(got, "Undelivered", Subject="Undelivered Mail Returned to Sender")
    del told["From"]
    told["From"] = "MAILER-DAEMON@client.test"
    told["Return-Path"] = "<>"
    told.set_content(f"<{got['To']}>: host mx said: 550 5.1.1 User unknown\n\n{got.as_string()}")
    return told


RESPONDERS = (out_of_office, out_of_office_in_words, forgetful, polite, mailing_list, gone)


def answer(got: Message, text: str, **headers: str) -> EmailMessage:
    sender = re.search(r"[\w.-]+@client\.test", str(got["To"]))
    assert sender, got["To"]
    subject = headers.pop("Subject", f"Re: {got['Subject']}")
    to = str(got["Reply-To"] or got["From"])
    return mail(subject, text, sender=sender[0], To=to, **headers)


async def test_automatic_answers_end(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    async with desk_at(OURS, fresh_database, tmp_path) as desk:
        answering = {f"{each.__name__}@client.test".replace("_", "-"): each for each in RESPONDERS}
        for address in answering:
            await open_for(desk, await knows(desk, address))
        got: Counter[str] = Counter()
        await desk.running.settled()
        while mails := desk.sent():
            for to, raw in mails:
                got[to] += 1
                message = message_from_bytes(raw, policy=policy.default)
                drop(desk.inbox, answering[to](message).as_bytes())
            await taken_in(desk)
            await desk.running.settled()
        assert set(got) == set(answering)
        # The first mail is about the ticket that an agent opened; the others acknowledge.
        assert max(got.values()) <= 1 + MOST, got
        quiet = {name: count for name, count in got.items() if not name.startswith("forgetful")}
        assert set(quiet.values()) == {1}, got


# Bombs.


async def test_a_thousand_mails_of_one_address_cost_it_alone(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    async with desk_at(OURS, fresh_database, tmp_path) as desk:
        running = desk.running
        ticket = {"subject": "Mine", "body": "x", "client_id": running.client_id}
        reference = (await running.created("/tickets", ticket))["reference"]
        for number in range(1000):
            subject = f"[{reference}] bomb" if number % 2 else "bomb"
            drop(desk.inbox, mail(subject, str(number)).as_bytes())
        for number in range(20):
            drop(desk.inbox, mail("innocent", sender=f"{number}@client.test").as_bytes())
        await taken_in(desk)
        await running.settled()
        counts = {state: await total(running, f"state={state}") for state in ("ticket", "reply")}
        assert counts == {"ticket": 20 + 20, "reply": 100}
        assert await total(running, "state=quarantined") == 1000 - 20 - 100
        opened = await running.api("GET", "/tickets?q=innocent&total=true")
        assert opened.json["total"] == 20
        to_alice = Counter(to for to, _ in desk.sent())["alice@client.test"]
        assert to_alice == 1 + MOST  # of the ticket that there was, and of the first of the bomb


async def total(running: Whole, query: str) -> Any:
    return (await running.api("GET", f"/mail/inbound?limit=1&total=true&{query}")).json["total"]
