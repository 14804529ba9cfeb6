"""Looks for schedules and alarms that are due. Any number of clocks may run: what one claims the
others skip.

Only the database's clock counts.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

import asyncpg
import structlog
from prometheus_client import Gauge

from deskwire.contracts.schedules import Schedule, ScheduleChanged
from deskwire.contracts.ticket_commands import WakeTicket
from deskwire.errors import Invalid
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.repeating import Survived, in_background
from scheduler_svc import store
from scheduler_svc.domain.runs import Run, due, left, order, plan_of

log = structlog.get_logger()

LAG = Gauge("deskwire_schedule_lag_seconds", "How late the schedule is that is due first")


@asynccontextmanager
async def ticking(outbox: Outbox, *, longest: float) -> AsyncIterator[None]:
    """Run what comes due, looking at least every ``longest`` seconds."""
    async with in_background(_tick_for_ever(outbox, longest)):
        yield


async def _tick_for_ever(outbox: Outbox, longest: float) -> None:
    looked = time.monotonic()
    while True:
        pause = None
        with Survived("clock"):
            pause = await tick(outbox, longest)
            looked = time.monotonic()
        if pause is None:
            LAG.set(time.monotonic() - looked)
        await asyncio.sleep(longest if pause is None else pause)


async def tick(outbox: Outbox, longest: float) -> float:
    """Run what is due; returns after how many seconds to look again."""
    wait = await outbox.database.fetch_value(store.UNTIL_NEXT)
    if wait is None or wait > 0:
        LAG.set(0)
        return min(longest, wait or longest)
    LAG.set(-wait)
    found = await ring(outbox) + await run_due(outbox)  # no schedule keeps a deadline waiting
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
        rows = await tx.fetch(store.CLAIM)
        steps = [_step(row) for row in rows]
        new = await _fire(steps, tx)
        for step, row in zip(steps, await _move_on(steps, new, tx), strict=True):
            _tell(step, new, row, tx)
    return len(rows)


@dataclass(frozen=True, slots=True)
class Step:
    """A schedule that is due: as it was, its runs that have come, and the next one."""

    schedule: Schedule
    come: Sequence[Run]
    following: Run | None


Occurrences = set[tuple[int, str]]


def _step(row: asyncpg.Record) -> Step:
    schedule = store.document(row)
    try:
        plan = plan_of(row["timing"], row["calendar"])
        come, following = due(plan, datetime.fromisoformat(row["next_wall"]), row["now"])
    except Invalid as error:
        log.error("schedule ended", schedule_id=schedule.id, cause=str(error))
        return Step(schedule, (), None)
    room = left(schedule)
    over = room is not None and len(come) >= room
    return Step(schedule, come[:room], None if over else following)


async def _fire(steps: Sequence[Step], tx: Transaction) -> Occurrences:
    """Those that had no ticket yet."""
    runs = [(step.schedule.id, run.occurrence) for step in steps for run in step.come]
    ids, names = [id for id, _ in runs], [name for _, name in runs]
    rows = await tx.fetch(store.FIRE, ids=ids, occurrences=names)
    return {(row["schedule_id"], row["occurrence"]) for row in rows}


async def _move_on(
    steps: Sequence[Step], new: Occurrences, tx: Transaction
) -> Sequence[asyncpg.Record]:
    """The schedules as they are now, in the order of the steps."""
    following = [store.next_columns(step.following) for step in steps]
    rows = await tx.fetch(
        store.MOVE_ON,
        ids=[step.schedule.id for step in steps],
        fired=[len(_tickets(step, new)) for step in steps],
        next_walls=[columns["next_wall"] for columns in following],
        next_runs=[columns["next_run_at"] for columns in following],
    )
    by_id = {row["id"]: row for row in rows}
    return [by_id[step.schedule.id] for step in steps]


def _tickets(step: Step, new: Occurrences) -> list[Run]:
    return [run for run in step.come if (step.schedule.id, run.occurrence) in new]


def _tell(step: Step, new: Occurrences, row: asyncpg.Record, tx: Transaction) -> None:
    for number, run in enumerate(_tickets(step, new), step.schedule.runs):
        tx.emit(order(step.schedule, run.occurrence, number, run))
    tx.emit(ScheduleChanged(schedule=store.document(row)))
