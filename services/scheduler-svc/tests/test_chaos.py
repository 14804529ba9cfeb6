"""Schedulers that are stopped, go on, and are killed at random: each occurrence and each alarm
comes once. `DESKWIRE_CHAOS_SECONDS` says for how long; `make soak` takes two minutes of it."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import launching
import pytest
from scheduler_office import Office, open_office

from deskwire.contracts.ticket_commands import OpenScheduledTicket, WakeTicket
from deskwire.messaging.rabbit import apply_topology
from deskwire.testing import FreshDatabase
from scheduler_svc.main import running

SECONDS = float(os.environ.get("DESKWIRE_CHAOS_SECONDS", "5"))
SCHEDULERS = 5 if "DESKWIRE_CHAOS_SECONDS" in os.environ else 3
SCHEDULES = int(20 * SECONDS)
ALARMS = int(200 * SECONDS)


class Schedulers:
    """So many processes, whatever happens to them."""

    def __init__(self, office: Office) -> None:
        self._told: dict[str, Any] = {
            "broker_url": office.settings.broker_url, "log_level": "ERROR", "tick_seconds": 0.2
        }  # fmt: skip
        self._url = office.settings.database_url
        self.done = Counter[str]()
        self._processes: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        process = await launching.start("scheduler_svc", self._told, self._url)
        self._processes.append(process)

    async def harm(self, chance: random.Random) -> None:
        process = chance.choice(self._processes)
        if chance.random() < 0.5:
            process.kill()
            await process.wait()
            self._processes.remove(process)
            self.done["killed"] += 1
            await self.start()
        else:
            process.send_signal(signal.SIGSTOP)
            self.done["stopped"] += 1
            await asyncio.sleep(chance.uniform(0.2, 2))
            process.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
                process.terminate()
        await asyncio.gather(*(process.wait() for process in self._processes))


@pytest.fixture
async def office(fresh_database: FreshDatabase, amqp_url: str) -> AsyncIterator[Office]:
    await apply_topology(amqp_url)
    async with open_office(fresh_database("scheduler_svc"), amqp_url) as office:
        yield office


@asynccontextmanager
async def schedulers(office: Office) -> AsyncIterator[Schedulers]:
    running_ones = Schedulers(office)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(running_ones.end)
        for _ in range(SCHEDULERS):
            await running_ones.start()
        yield running_ones


async def fill(office: Office) -> None:
    """Schedules and alarms that come due one after the other while all of it happens."""
    async with running(office.settings):
        await office.schedule()
    await office.sql(
        "INSERT INTO schedules (name, timing, ticket, client_id, next_wall, next_run_at)"
        " SELECT name, timing, ticket, client_id, next_wall, next_run_at FROM schedules,"
        " generate_series(2, $1)",
        SCHEDULES,
    )
    await office.make_due()
    for table, time in (("schedules", "next_run_at"), ("alarms", "at")):
        if table == "alarms":
            fresh = "INSERT INTO alarms SELECT n, now(), 1 FROM generate_series(1, $1) AS n"
            await office.sql(fresh, ALARMS)
        later = f"UPDATE {table} SET {time} = now() + random() * $1 * interval '1 second'"
        await office.sql(later, SECONDS)
    office.heard.clear()


async def test_what_is_due_comes_once_whoever_dies(office: Office) -> None:
    seed = int(os.environ.get("DESKWIRE_SEED", "6"))
    chance = random.Random(seed)
    await fill(office)
    async with schedulers(office) as processes:
        async with asyncio.timeout(SECONDS + 30):
            with suppress(TimeoutError):
                async with asyncio.timeout(SECONDS):
                    while True:
                        await processes.harm(chance)
                        await asyncio.sleep(chance.uniform(0.1, 0.8))
        await office.wait_for(OpenScheduledTicket, SCHEDULES)
        await office.wait_for(WakeTicket, ALARMS)
        await asyncio.sleep(1)
    opened = Counter(order.schedule_id for order in office.all(OpenScheduledTicket))
    woken = Counter(wake.ticket_id for wake in office.all(WakeTicket))
    counted = f"{len(opened)} occurrences, {len(woken)} alarms, seed {seed}"
    print(f"{dict(processes.done)}: {counted}")  # noqa: T201  # what a soak is run for
    assert set(opened.values()) == set(woken.values()) == {1}
    assert (len(opened), len(woken)) == (SCHEDULES, ALARMS)
    assert await office.sql("SELECT FROM alarms") == []
