"""The ledger adds up: the ingest service is killed at every step of a mail's way, two replicas at a
time, while mails come in; and while two of them work, a person reads mails, the server restarts and
numbers them anew.

`DESKWIRE_LEDGER_MAILS` says how many mails at least, `DESKWIRE_LEDGER_SEED` in which order all this
happens; the seed of a run is printed.
"""

import asyncio
import imaplib
import json
import multiprocessing
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from dying import STEPS, ingest
from whole import NO_BUDGETS, mail, until

from deskwire import db
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.people import CreateClient, CreateContact
from deskwire.contracts.settings import SettingChanges, UpdateSettings
from deskwire.local import Dovecot
from deskwire.messaging.broker import connect
from deskwire.messaging.rabbit import apply_topology
from deskwire.messaging.requests import ask
from deskwire.testing import FreshDatabase
from ticket_svc import main as ticket_svc
from ticket_svc.settings import Settings as TicketSettings

MAILS = int(os.environ.get("DESKWIRE_LEDGER_MAILS", "500"))

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["mail_ingest_svc.main", "pytest"])
"""A replica is there at once: what it imports, one process has imported for all."""


@dataclass
class Desk:
    """ticket-svc, and a mailbox on a server; the ingest service is what a test starts."""

    dovecot: Dovecot
    folder: Path
    user: str
    told: dict[str, Any]
    ledger: db.Database
    tickets: db.Database
    sent: int = 0

    @contextmanager
    def replicas(self, *ways: tuple[str, int]) -> Iterator[list[ForkServerProcess]]:
        """Two, which die at these steps or live on."""
        told = {f"DESKWIRE_{name.upper()}": str(value) for name, value in self.told.items()}
        processes = [FORKS.Process(target=ingest, args=(told, *way)) for way in ways or [(), ()]]
        for process in processes:
            process.start()
        try:
            yield processes
        finally:
            for process in processes:
                process.terminate()
                process.join(20)

    def imap(self) -> imaplib.IMAP4:
        parts = urlsplit(self.dovecot.url(self.user))
        client = imaplib.IMAP4(parts.hostname or "", parts.port or 0, timeout=20)
        client.login(self.user, parts.password or "")
        return client

    def deliver(self, count: int) -> None:
        with self.imap() as client:
            for _ in range(count):
                client.append("INBOX", "", "", mail(f"mail-{self.sent}").as_bytes())
                self.sent += 1

    def read_some(self) -> None:
        """As a person does on a phone."""
        with self.imap() as client:
            _, counts = client.select()
            if counts[0] != b"0":
                client.store("1:*", "+FLAGS", r"(\Seen)")

    def restart(self) -> None:
        self.dovecot.stop()
        self.dovecot.start()

    def renumber(self) -> None:
        """The server forgets its UIDs, and begins with a new UIDVALIDITY."""
        self.dovecot.stop()
        for file in (self.folder / "mail" / self.user / "Maildir").glob("dovecot*"):
            file.unlink()
        self.dovecot.start()

    async def all_handled(self) -> bool:
        rows = await self.ledger.pool.fetch("SELECT state, flagged_at FROM mails")
        done = all(row["flagged_at"] and row["state"] != "received" for row in rows)
        return done and len(await self.opened()) == self.sent

    async def unfinished(self) -> list[Any]:
        """What is left of the way, for who looks for the cause."""
        queries = [
            "SELECT state, reason, attempts, uid FROM mails WHERE flagged_at IS NULL LIMIT 5",
            "SELECT state, reason, attempts, uid FROM mails WHERE state = 'received' LIMIT 5",
            "SELECT type, attempts, error, retry_at FROM dead_letters LIMIT 5",
            "SELECT type, created_at FROM outbox WHERE published_at IS NULL LIMIT 5",
        ]
        return [row for sql in queries for row in await self.ledger.pool.fetch(sql)]

    async def opened(self) -> Counter[str]:
        rows = await self.tickets.pool.fetch("SELECT subject FROM tickets")
        return Counter(row["subject"] for row in rows)


@pytest.fixture
async def desk(
    fresh_database: FreshDatabase,
    amqp_url: str,
    dovecot_server: object,
    server_folder: Path,
    tmp_path: Path,
) -> AsyncIterator[Desk]:
    if not isinstance(dovecot_server, Dovecot):
        pytest.skip("this Dovecot is not ours to stop")
    await apply_topology(amqp_url)
    user, blobs = uuid4().hex, f"file://{tmp_path}/blobs"
    told = {
        "database_url": fresh_database("mail_ingest_svc"),
        "broker_url": amqp_url,
        "blob_url": blobs,
        "mailboxes": json.dumps([dovecot_server.url(user)]),
        "health_port": 0,
        "log_level": "ERROR",
        "poll_seconds": 1,
    }
    async with (
        tickets(fresh_database("ticket_svc"), amqp_url, blobs) as owner,
        db.connect(str(told["database_url"]), size=2) as ledger,
    ):
        yield Desk(dovecot_server, server_folder / "dovecot", user, told, ledger, owner)
    dovecot_server.start()


@asynccontextmanager
async def tickets(url: str, amqp_url: str, blobs: str) -> AsyncIterator[db.Database]:
    """A running ticket-svc that knows Alice."""
    settings = TicketSettings(
        database_url=url, broker_url=amqp_url, blob_url=blobs, signing_key="k" * 16, health_port=0
    )
    by = Actor(author=Author(type="system"), through=Through(type="system"))
    async with (
        ticket_svc.running(settings),
        connect(amqp_url) as broker,
        db.connect(url, size=2) as database,
    ):
        client = (await ask(broker, CreateClient(name="Client"))).reply
        alice = CreateContact(client_id=client.id, name="Alice", email="alice@client.test")
        await ask(broker, alice)
        changes = SettingChanges.model_validate(NO_BUDGETS)
        await ask(broker, UpdateSettings(changes=changes, if_version=1, actor=by))
        yield database


@pytest.mark.timeout(300)
async def test_every_mail_has_one_effect(desk: Desk) -> None:
    seed = int(os.environ.get("DESKWIRE_LEDGER_SEED") or random.randrange(10**6))
    print(f"seed {seed}")  # noqa: T201  # a run that fails is run again with it
    chance = random.Random(seed)
    steps = chance.sample(list(STEPS), len(STEPS))
    pairs = list(zip(steps[::2], steps[1::2], strict=True))
    for pair in pairs:
        await asyncio.to_thread(desk.deliver, MAILS // (2 * len(pairs)))
        ways = [(step, chance.randint(1, 2)) for step in pair]
        print(ways)  # noqa: T201  # the same
        with desk.replicas(*ways) as dying:
            await _dead(desk, dying)
            assert [replica.exitcode for replica in dying] == [-signal.SIGKILL] * 2, pair
        if chance.random() < 0.5:
            await asyncio.to_thread(desk.renumber)
    # A message with which three consumers died is parked, though it was another that killed them.
    await desk.ledger.pool.execute("UPDATE dead_letters SET retry_at = now(), attempts = 0")
    with desk.replicas() as replicas:
        for disturb in chance.sample([desk.read_some, desk.restart, desk.renumber], 3):
            await asyncio.to_thread(desk.deliver, (MAILS - desk.sent) // 3)
            await asyncio.to_thread(disturb)
        await asyncio.to_thread(desk.deliver, MAILS - desk.sent)
        try:
            await until(desk.all_handled, seconds=120)
        except TimeoutError:
            raise AssertionError(await desk.unfinished()) from None
    assert [replica.exitcode for replica in replicas] == [0, 0]
    await check(desk)


async def _dead(desk: Desk, replicas: list[ForkServerProcess]) -> None:
    """Mails come in until each has got so far with one of them."""
    for _ in range(200):
        if not any(replica.is_alive() for replica in replicas):
            return
        await asyncio.to_thread(desk.deliver, 1)
        await asyncio.sleep(0.2)
    rows = await desk.ledger.pool.fetch("SELECT state, count(*) FROM mails GROUP BY state")
    ended = [replica.exitcode for replica in replicas]
    raise AssertionError(f"they live on: {ended}, {desk.sent} sent, {rows}")


async def check(desk: Desk) -> None:
    opened = await desk.opened()
    assert opened == Counter(f"mail-{number}" for number in range(desk.sent))
    processed = desk.dovecot.messages(desk.user, "Processed")
    assert (desk.dovecot.messages(desk.user), len(processed)) == ([], desk.sent)
    rows = await desk.ledger.pool.fetch("SELECT message_id, state, reason FROM mails")
    by_mail: dict[str | None, list[str]] = {}
    for row in rows:
        by_mail.setdefault(row["message_id"], []).append(row["state"])
    unread = by_mail.pop(None, [])  # begun under UIDs that there are no longer
    assert set(unread) <= {"failed"}
    assert len(by_mail) == desk.sent
    assert {states.count("ticket") for states in by_mail.values()} == {1}
    assert {state for states in by_mail.values() for state in states} <= {"ticket", "duplicate"}
