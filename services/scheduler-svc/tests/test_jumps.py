"""The database's clock jumps: nothing is opened twice, nothing in a burst, nothing is left out.

The scheduler's own clock is months away from it all the while, and does not matter.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scheduler_office import TICKET, Office, open_office

from deskwire import local
from deskwire.contracts.schedules import CreateSchedule
from deskwire.contracts.ticket_commands import OpenScheduledTicket
from deskwire.db import migrate
from scheduler_svc.main import running

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)

BEGIN = "2026-03-28T22:30"
# The time in UTC, and what is opened then; the rules are of Paris.
JUMPS: tuple[tuple[str, list[str]], ...] = (
    ("2026-03-28T23:01", ["hourly 2026-03-29T00:00"]),
    # three hours ahead, over the hour that the night has not got
    ("2026-03-29T02:01", ["hourly 2026-03-29T04:00", "nightly 2026-03-29T03:00"]),
    # two days back, and here again
    ("2026-03-27T02:01", []),
    ("2026-03-29T02:02", []),
    ("2026-03-29T03:01", ["hourly 2026-03-29T05:00"]),
    # months later, in the hour that comes twice
    ("2026-10-25T00:10", ["hourly 2026-10-25T02:00", "nightly 2026-10-24T02:30"]),
    ("2026-10-25T00:31", ["nightly 2026-10-25T02:30"]),
    ("2026-10-25T01:31", []),
    ("2026-10-25T02:01", ["hourly 2026-10-25T03:00"]),
    # the end of the year, and a leap day
    ("2026-12-31T23:01", ["hourly 2027-01-01T00:00", "nightly 2026-12-31T02:30"]),
    ("2028-02-29T01:31", ["hourly 2028-02-29T02:00", "nightly 2028-02-29T02:30"]),
    ("2028-02-29T23:01", ["hourly 2028-03-01T00:00"]),
)


@dataclass
class Clock:
    """The time of a PostgreSQL server, which reads how far it is ahead from a file."""

    ahead: Path
    url: str = ""

    def show(self, text: str) -> None:
        """From now on it is this time, in UTC, and goes on."""
        ahead = datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime.now(UTC)
        fresh = self.ahead.with_suffix(".new")
        fresh.write_text(f"{ahead.total_seconds():+.0f}")
        fresh.chmod(0o644)
        fresh.rename(self.ahead)


@pytest.fixture
def clock(server_folder: Path) -> Iterator[Clock]:
    if LIBRARY is None:
        no_library = "no libfaketime here: install faketime"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(no_library)
    clock = Clock(server_folder / "ahead")
    clock.show(BEGIN)
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LD_PRELOAD", str(LIBRARY))
            patch.setenv("FAKETIME_TIMESTAMP_FILE", str(clock.ahead))
            patch.setenv("FAKETIME_NO_CACHE", "1")
            patch.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            patch.setenv("FAKETIME_DISABLE_SHM", "1")  # others would wait for root's
            server = local.postgres(server_folder / "jumping", durable=False)
            clock.url = stack.enter_context(server)
        yield clock


@pytest.fixture
async def office(clock: Clock) -> AsyncIterator[Office]:
    await migrate(clock.url, "scheduler_svc")
    async with open_office(clock.url) as office:
        yield office


async def opened(office: Office) -> list[str]:
    """What was opened since this was asked last, when nothing is due any more."""
    waits = (
        "SELECT FROM schedules WHERE next_run_at <= now()",
        "SELECT FROM outbox WHERE published_at IS NULL",
    )
    async with asyncio.timeout(20):
        for wait in waits:
            while await office.sql(wait):
                await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)  # longer than a tick
    orders = office.all(OpenScheduledTicket)
    office.heard.clear()
    return sorted(f"{order.ticket.subject} {order.occurrence}" for order in orders)


async def test_whatever_the_clock_does_each_occurrence_comes_once(
    office: Office, clock: Clock
) -> None:
    async with running(office.settings):
        for name, cron in (("hourly", "0 * * * *"), ("nightly", "30 2 * * *")):
            ticket = TICKET.model_copy(update={"subject": name})
            await office.ask(
                CreateSchedule(name=name, cron=cron, timezone="Europe/Paris", ticket=ticket)
            )
        assert await opened(office) == []
        for time, expected in JUMPS:
            clock.show(time)
            assert await opened(office) == expected, time
