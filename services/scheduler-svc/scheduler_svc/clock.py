"""Looks for schedules and alarms that are due. Any number of clocks may run: what one claims the
others skip.

Only the database's clock counts. After an outage a schedule runs once, for the last of its runs
that were missed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from operator import itemgetter

import asyncpg
import structlog
from prometheus_client import Gauge

from deskwire.contracts.schedules import ScheduleChanged
from deskwire.contracts.tickets import OpenScheduledTicket, WakeTicket
from deskwire.errors import Invalid
from deskwire.messaging.outbox import Outbox, Transaction
from scheduler_svc import store
from scheduler_svc.domain import latest_run, next_run, occurrence

log = structlog.get_logger()

LAG = Gauge("deskwire_schedule_lag_seconds", "How late the schedule is that is due first")


@asynccontextmanager
async def ticking(outbox: Outbox, *, longest: float) -> AsyncIterator[None]:
    """Run what comes due, looking at least every ``longest`` seconds."""
    task = asyncio.create_task(_tick_for_ever(outbox, longest))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tick_for_ever(outbox: Outbox, longest: float) -> None:
    looked = time.monotonic()
    while True:
        try:
            pause = await tick(outbox, longest)
            looked = time.monotonic()
        except Exception as error:
            log.error("clock waits", cause=repr(error))
            LAG.set(time.monotonic() - looked)
            pause = longest
        await asyncio.sleep(pause)


async def tick(outbox: Outbox, longest: float) -> float:
    """Run what is due; returns after how many seconds to look again."""
    wait = await outbox.database.fetch_value(store.UNTIL_NEXT)
    if wait is None or wait > 0:
        LAG.set(0)
        return min(longest, wait or longest)
    LAG.set(-wait)
    found = await run_due(outbox) + await ring(outbox)
    return 0.0 if found else longest


async def ring(outbox: Outbox) -> int:
    """Wake up to 500 tickets whose alarm has come; returns how many. An alarm rings once: its row
    goes in the transaction that says so."""
    async with outbox.transaction() as tx:
        rung = await tx.fetch(store.RING)
        for row in sorted(rung, key=itemgetter("at")):
            tx.emit(WakeTicket(ticket_id=row["ticket_id"], at=row["at"]))
    return len(rung)


async def run_due(outbox: Outbox) -> int:
    """Run up to 50 due schedules that no other clock is running; returns how many."""
    async with outbox.transaction() as tx:
        due = await tx.fetch(store.CLAIM)
        runs = [_run_of(row) for row in due]
        for row in await tx.fetch(
            store.RUN,
            ids=[row["id"] for row in due],
            occurrences=[name for name, _ in runs],
            next_runs=[following for _, following in runs],
        ):
            _tell(row, tx)
    return len(due)


def _run_of(row: asyncpg.Record) -> tuple[str, datetime | None]:
    """Which occurrence it is, and when the next one is."""
    cron, timezone, due, now = row["cron"], row["timezone"], row["next_run_at"], row["now"]
    try:
        name = occurrence(latest_run(cron, timezone, due, now), timezone)
        return name, next_run(cron, timezone, now)
    except Invalid as error:
        log.error("schedule ended", schedule_id=row["id"], cause=str(error))
        return occurrence(due, "UTC"), None


def _tell(row: asyncpg.Record, tx: Transaction) -> None:
    schedule = store.document(row)
    if row["fired"]:
        tx.emit(
            OpenScheduledTicket(
                schedule_id=schedule.id, occurrence=row["occurrence"], ticket=schedule.ticket
            )
        )
    tx.emit(ScheduleChanged(schedule=schedule))
