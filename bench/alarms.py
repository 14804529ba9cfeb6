"""What a million armed alarms cost beside ten thousand, how long a burst of them takes, and how
late alarms and runs are while a million are armed.

python -m bench.alarms [SMALL LARGE]
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

import launching
from rich.console import Console
from rich.table import Table

from bench.rig import fresh
from deskwire import db
from deskwire.contracts.base import Message
from deskwire.contracts.mail import Body
from deskwire.contracts.schedules import SetAlarm, Timing
from deskwire.contracts.ticket_commands import OpenScheduledTicket, OpenTicket, WakeTicket
from deskwire.local import postgres, rabbitmq, rabbitmq_available
from deskwire.messaging.broker import Delivery, connect
from deskwire.messaging.outbox import Outbox
from deskwire.messaging.rabbit import apply_topology
from deskwire.topology import TICKET_SVC
from scheduler_svc import clock, store
from scheduler_svc.handlers import set_alarm

SIZES = (10_000, 1_000_000)
WARM, ROUNDS = 50, 200
AT_ONCE = 50
"""As many as the consumer takes into one transaction."""

HOURS = (4, 8, 48, 72)
"""Until a ticket is to be answered or solved, its client is reminded, it is closed."""

BURST = 10_000
SCHEDULERS = 2

SPREAD: dict[type[Message], int] = {WakeTicket: 6_000, OpenScheduledTicket: 600}
SPREAD_SECONDS = 60

TIMING = Timing(cron="0 9 * * mon").model_dump_json()
TICKET = OpenTicket(subject="Check the backups", body=Body(text="All.")).model_dump_json()

# What comes due within a minute.
DUE: dict[type[Message], str] = {
    WakeTicket: """
        INSERT INTO alarms SELECT -n, now() + random() * $2 * interval '1 second', 1
        FROM generate_series(1, $1) AS n RETURNING ticket_id AS id, at
    """,
    OpenScheduledTicket: f"""
        INSERT INTO schedules (name, timing, ticket, next_wall, next_run_at)
        SELECT 'x', '{TIMING}', '{TICKET}', '2026-01-01T00:00',
            now() + random() * $2 * interval '1 second'
        FROM generate_series(1, $1) RETURNING id, next_run_at AS at
    """,
}


class Armed:
    """A scheduler's database with so many alarms."""

    def __init__(self, database: db.Database, outbox: Outbox, size: int) -> None:
        self._database = database
        self._outbox = outbox
        self._size = size
        self._next = size
        self._cancelled: list[int] = []

    async def arm(self) -> None:
        self._next += AT_ONCE
        await self._set(range(self._next - AT_ONCE, self._next))

    async def move(self) -> None:
        await self._set(random.sample(range(1, self._size), AT_ONCE))

    async def cancel(self) -> None:
        self._cancelled = random.sample(range(1, self._size), AT_ONCE)
        await self._set(self._cancelled, armed=False)

    async def arm_again(self) -> None:
        """Not measured: so that there is always something to cancel."""
        await self._set(self._cancelled)

    async def look(self) -> None:
        await self._database.fetch_value(store.UNTIL_NEXT)

    async def ring(self) -> None:
        assert await clock.ring(self._outbox) == AT_ONCE

    async def come_due(self) -> None:
        """Not measured."""
        first = "SELECT ticket_id FROM alarms ORDER BY at LIMIT $1"
        due = f"UPDATE alarms SET at = now() WHERE ticket_id IN ({first})"
        await self._database.pool.execute(due, AT_ONCE)

    async def _set(self, ids: Sequence[int], *, armed: bool = True) -> None:
        """As the consumer does what is told it."""
        version = int(time.time())
        async with self._outbox.transaction() as tx:
            for id in ids:
                at = _soon() if armed else None
                await set_alarm(SetAlarm(ticket_id=id, at=at, version=version), tx)


def _soon() -> datetime:
    """As what tickets wait for: hours that settings have, from now on."""
    return datetime.now(UTC) + timedelta(hours=random.choice(HOURS))


async def _milliseconds(work: Callable[[], Awaitable[None]]) -> float:
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


async def compare(server: str, sizes: tuple[int, int]) -> None:
    table = Table("50 alarms", *(f"{size:,} ms" for size in sizes), "ratio")
    async with AsyncExitStack() as stack:
        both = [await _armed(stack, server, size) for size in sizes]
        for name in ("arm", "move", "cancel", "ring", "look"):
            took: tuple[list[float], list[float]] = ([], [])
            for _ in range(WARM + ROUNDS):
                for armed, times in zip(both, took, strict=True):
                    if name == "ring":
                        await armed.come_due()
                    times.append(await _milliseconds(getattr(armed, name)))
                    if name == "cancel":
                        await armed.arm_again()
            small, large = (median(times[WARM:]) for times in took)
            table.add_row(name, f"{small:.2f}", f"{large:.2f}", f"{large / small:.2f}")
    Console().print(table)


async def _armed(stack: AsyncExitStack, server: str, size: int) -> Armed:
    database = await stack.enter_async_context(db.connect(await _fresh(server, f"alarms_{size}")))
    broker = await stack.enter_async_context(connect(f"memory://{size}"))
    await _fill(database, size)
    return Armed(database, Outbox(database, broker, service="scheduler-svc"), size)


async def _fill(database: db.Database, size: int) -> None:
    await database.pool.execute(
        "INSERT INTO alarms SELECT n, now() + (1 + 30 * random()) * interval '1 day', 1"
        " FROM generate_series(1, $1) AS n",
        size,
        timeout=600,
    )
    await database.pool.execute("VACUUM ANALYZE alarms", timeout=600)


async def burst(server: str) -> None:
    """Until the outbox says each of them once."""
    async with _schedulers(await _fresh(server, "burst"), "memory://burst") as database:
        fill = "INSERT INTO alarms SELECT n, now(), 1 FROM generate_series(1, $1) AS n"
        await database.pool.execute(fill, BURST)
        started = time.perf_counter()
        while await database.pool.fetchval("SELECT count(*) FROM outbox") < BURST:
            await asyncio.sleep(0.05)
        took = time.perf_counter() - started
        once = "SELECT count(DISTINCT body) = count(*) FROM outbox"
        assert await database.pool.fetchval(once), "an alarm rang twice"
        Console().print(f"{BURST:,} at once, {SCHEDULERS} schedulers: {took:.1f} s, each once")


async def lateness(server: str, armed: int, broker_url: str) -> None:
    """From when something is due until ticket-svc would have its message."""
    table = Table(f"{armed:,} more armed", "p50", "p99", "latest")
    arrived: dict[type[Message], dict[int, float]] = {kind: {} for kind in DUE}

    async def hear(batch: Sequence[Delivery]) -> None:
        now = time.time()
        for message in (delivery.envelope.message for delivery in batch):
            arrived[type(message)].setdefault(_id_of(message), now)

    await apply_topology(broker_url)
    async with (
        _schedulers(await _fresh(server, "lateness"), broker_url) as database,
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, hear),
    ):
        await _fill(database, armed)
        due = {
            kind: await database.pool.fetch(statement, SPREAD[kind], SPREAD_SECONDS)
            for kind, statement in DUE.items()
        }
        async with asyncio.timeout(3 * SPREAD_SECONDS):
            while any(len(arrived[kind]) < SPREAD[kind] for kind in DUE):
                await asyncio.sleep(0.5)
    for kind, rows in due.items():
        late = [arrived[kind][row["id"]] - row["at"].timestamp() for row in rows]
        points = [median(late), quantiles(late, n=100)[98], max(late)]
        name = f"{len(rows):,} {kind.wire_name} in {SPREAD_SECONDS} s"
        table.add_row(name, *(f"{seconds:.2f} s" for seconds in points))
    Console().print(table)


def _id_of(message: Message) -> int:
    assert isinstance(message, WakeTicket | OpenScheduledTicket)
    return message.ticket_id if isinstance(message, WakeTicket) else message.schedule_id


@asynccontextmanager
async def _schedulers(url: str, broker_url: str) -> AsyncIterator[db.Database]:
    told = {"broker_url": broker_url, "log_level": "ERROR"}
    async with db.connect(url, size=1) as database, AsyncExitStack() as stack:
        for _ in range(SCHEDULERS):
            process = await launching.start("scheduler_svc", told, url)
            stack.push_async_callback(process.wait)
            stack.callback(process.terminate)
        await asyncio.sleep(3)
        yield database


async def _fresh(server: str, name: str) -> str:
    return await fresh(server, name, "scheduler_svc")


def main() -> None:
    given = [int(size) for size in sys.argv[1:]]
    sizes = (given[0], given[1]) if given else SIZES
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with postgres(Path(folder) / "postgres", durable=False) as server:
            asyncio.run(compare(server, sizes))
            asyncio.run(burst(server))
            if not rabbitmq_available():
                Console().print("no RabbitMQ here: apt-get install rabbitmq-server for the rest")
                return
            with rabbitmq(Path(folder) / "rabbitmq") as node:
                asyncio.run(lateness(server, sizes[1], node.url))


if __name__ == "__main__":
    main()
