"""Services killed at random, RabbitMQ gone for a while: afterwards everything is there, once."""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from launching import maildir
from whole import TEAM, Whole, drop, mail, told, until, whole

from deskwire.local import RabbitMQ, Smtp
from deskwire.services import SERVICES
from deskwire.testing import FreshDatabase

MAILS = int(os.environ.get("DESKWIRE_CRASH_MAILS", "200"))
CREATES = int(os.environ.get("DESKWIRE_CRASH_CREATES", "200"))
KILL_SECONDS = (1.0, 4.0)
OUTAGE_SECONDS = 20.0


class Accounts:
    """What was accepted, and what came of it."""

    def __init__(self, running: Whole, smtp: Smtp, inbox: Path) -> None:
        self.running = running
        self.smtp = smtp
        self.inbox = inbox
        self.accepted: set[str] = set()
        self.refused = Counter[int]()

    async def send_mails(self, count: int, seconds: float) -> None:
        for number in range(count):
            drop(self.inbox, mail(f"mail-{number}").as_bytes())
            self.accepted.add(f"mail-{number}")
            await asyncio.sleep(seconds / count)

    async def create(self, count: int, seconds: float) -> None:
        for number in range(count):
            await self._create_until_accepted(f"api-{number}")
            await asyncio.sleep(seconds / count)

    async def _create_until_accepted(self, subject: str) -> None:
        """As a client that retries with its key until it has an answer."""
        body = {"subject": subject, "body": "x", "client_id": self.running.client_id}
        while True:
            try:
                answer = await self.running.api("POST", "/tickets", body, Idempotency_Key=subject)
            except OSError:
                await asyncio.sleep(0.1)
                continue
            if answer.status == 201:
                self.accepted.add(subject)
                return
            assert answer.status == 503, answer.body
            self.refused[answer.status] += 1
            await asyncio.sleep(0.1)

    async def subjects(self) -> Counter[str]:
        rows = await self.running.query("ticket-svc", "SELECT subject FROM tickets")
        return Counter(row["subject"] for row in rows)

    async def shown(self) -> Counter[str]:
        rows = await self.running.query(
            "gateway", "SELECT doc::json ->> 'subject' AS s FROM tickets"
        )
        return Counter(row["s"] for row in rows)

    def mailed(self, recipient: str) -> Counter[str]:
        subjects = Counter[str]()
        for taken in self.smtp.mails:
            found = re.search(rb"^Subject: .*?((?:mail|api)-\d+)\r?$", taken.raw, re.MULTILINE)
            if found and recipient in taken.recipients:
                subjects[found[1].decode()] += 1
        return subjects

    async def all_there(self) -> bool:
        everywhere = (
            await self.subjects(),
            await self.shown(),
            self.mailed("alice@client.test"),
            self.mailed(TEAM),
        )
        return all(self.accepted <= there.keys() for there in everywhere)

    def report(self, name: str, tickets: Counter[str]) -> None:
        mails = self.mailed("alice@client.test") + self.mailed(TEAM)
        print(
            f"\n{name}: accepted {len(self.accepted)},"
            f" lost {len(self.accepted - tickets.keys())},"
            f" duplicated {sum(n - 1 for n in tickets.values())},"
            f" unexpected {len(tickets.keys() - self.accepted)},"
            f" mails sent {sum(mails.values())},"
            f" sent again {sum(mails.values()) - 2 * len(self.accepted)},"
            f" retried answers {sum(self.refused.values())}"
        )


@pytest.fixture
async def accounts(
    fresh_database: FreshDatabase, amqp_url: str, smtp_server: Smtp, tmp_path: Path
) -> AsyncIterator[Accounts]:
    inbox = maildir(tmp_path / "inbox")
    settings = told(
        amqp_url,
        tmp_path,
        mailboxes=[f"maildir:{inbox}"],
        smtp_url=smtp_server.url,
        uncertain_retry_seconds=1,
        request_seconds=3,
    )
    async with whole(fresh_database, settings, as_processes=True) as running:
        yield Accounts(running, smtp_server, inbox)


async def check(accounts: Accounts, name: str) -> None:
    await accounts.running.answering()
    await until(accounts.all_there, 120)
    await accounts.running.settled()
    tickets = await accounts.subjects()
    accounts.report(name, tickets)
    assert tickets == Counter(accounts.accepted)
    assert await accounts.shown() == Counter(accounts.accepted)
    numbers = await accounts.running.query("ticket-svc", "SELECT number FROM tickets ORDER BY 1")
    assert [row["number"] for row in numbers] == list(range(1, len(accounts.accepted) + 1))
    ledger = await accounts.running.query("mail-ingest-svc", "SELECT state FROM mails")
    taken = [subject for subject in accounts.accepted if subject.startswith("mail-")]
    assert Counter(row["state"] for row in ledger) == {"ticket": len(taken)}
    for service in SERVICES:
        parked = await accounts.running.query(service.name, "SELECT type, error FROM dead_letters")
        assert parked == [], service.name


async def kill_at_random(running: Whole, seed: int) -> Counter[str]:
    """Kill a service, start it again, until cancelled."""
    chance = random.Random(seed)
    killed = Counter[str]()
    try:
        while True:
            await asyncio.sleep(chance.uniform(*KILL_SECONDS))
            name = chance.choice(SERVICES).name
            await running.kill(name)
            await running.start(name)
            killed[name] += 1
    except asyncio.CancelledError:
        return killed


@pytest.mark.timeout(400)
async def test_killed_services_lose_nothing_and_repeat_nothing(accounts: Accounts) -> None:
    seed = random.randrange(10**6)
    nemesis = asyncio.create_task(kill_at_random(accounts.running, seed))
    await asyncio.gather(accounts.send_mails(MAILS, 40), accounts.create(CREATES, 40))
    nemesis.cancel()
    killed = await nemesis
    print(f"\nseed {seed}, killed {dict(killed)}")
    assert killed
    await check(accounts, "SIGKILL")


@pytest.mark.timeout(300)
async def test_rabbitmq_away_for_a_while(accounts: Accounts, rabbitmq_server: RabbitMQ) -> None:
    """Reads go on, mails are taken into the ledger, writes get 503 or succeed, all settles."""
    if not hasattr(rabbitmq_server, "stop"):
        pytest.skip("the broker of DESKWIRE_TEST_AMQP_URL is not ours to stop")
    await accounts.create(1, 0)
    await asyncio.to_thread(rabbitmq_server.stop)
    try:
        writing = asyncio.create_task(accounts.create(10, 0))
        await accounts.send_mails(20, OUTAGE_SECONDS)
        reads = await accounts.running.api("GET", "/tickets")
        refused = await accounts.running.api(
            "POST", "/tickets", {"subject": "no", "body": "x", "client_id": 1}, Idempotency_Key="no"
        )
        await until(lambda: _ledger_has(accounts.running, 20))
    finally:
        await asyncio.to_thread(rabbitmq_server.start)
    assert (reads.status, len(reads.json["data"])) == (200, 1)
    assert (refused.status, "retry-after" in refused.headers) == (503, True)
    await writing
    await check(accounts, "broker away")


async def _ledger_has(running: Whole, count: int) -> bool:
    rows: list[Any] = await running.query("mail-ingest-svc", "SELECT count(*) FROM mails")
    return bool(rows[0][0] == count)
