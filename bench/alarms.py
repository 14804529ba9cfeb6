"""What a million armed alarms cost beside ten thousand, and how long a burst of them takes.

python -m bench.alarms [SMALL LARGE]
"""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import asyncpg
import embedded
from rich.console import Console
from rich.table import Table

from deskwire import db
from deskwire.local import postgres
from deskwire.messaging.broker import connect
from deskwire.messaging.outbox import Outbox
from scheduler_svc import clock, store

SIZES = (10_000, 1_000_000)
ROUNDS = 100
AT_ONCE = 50
"""As many as the consumer takes into one transaction."""

BURST = 10_000
SCHEDULERS = 2


class Armed:
    """A scheduler's database with so many alarms."""

    def __init__(self, database: db.Database, outbox: Outbox, size: int) -> None:
        self._database = database
        self._outbox = outbox
        self._size = size
        self._next = size

    async def fill(self) -> None:
        await self._database.pool.execute(
            "INSERT INTO alarms SELECT n, now() + (1 + 30 * random()) * interval '1 day', 1"
            " FROM generate_series(1, $1) AS n",
            self._size,
            timeout=600,
        )
        await self._database.pool.execute("VACUUM ANALYZE alarms", timeout=600)

    async def arm(self) -> None:
        self._next += AT_ONCE
        await self._set(range(self._next - AT_ONCE, self._next), _soon())

    async def move(self) -> None:
        await self._set(random.sample(range(1, self._size), AT_ONCE), _soon())

    async def cancel(self) -> None:
        await self._set(random.sample(range(1, self._size), AT_ONCE), None)

    async def look(self) -> None:
        await self._database.fetch_value(store.UNTIL_NEXT)

    async def ring(self) -> None:
        assert await clock.ring(self._outbox) == AT_ONCE

    async def come_due(self) -> None:
        """Not measured."""
        first = "SELECT ticket_id FROM alarms ORDER BY at LIMIT $1"
        due = f"UPDATE alarms SET at = now() WHERE ticket_id IN ({first})"
        await self._database.pool.execute(due, AT_ONCE)

    async def _set(self, ids: Sequence[int], at: datetime | None) -> None:
        version = [int(time.time())] * AT_ONCE
        values = {"ticket_id": list(ids), "at": [at] * AT_ONCE, "version": version}
        await self._database.execute(store.SET_ALARMS, **values)


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(days=random.uniform(1, 30))


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
            for _ in range(ROUNDS):
                for armed, times in zip(both, took, strict=True):
                    if name == "ring":
                        await armed.come_due()
                    times.append(await _milliseconds(getattr(armed, name)))
            small, large = map(median, took)
            table.add_row(name, f"{small:.2f}", f"{large:.2f}", f"{large / small:.2f}")
    Console().print(table)


async def _armed(stack: AsyncExitStack, server: str, size: int) -> Armed:
    database = await stack.enter_async_context(db.connect(await _fresh(server, f"alarms_{size}")))
    broker = await stack.enter_async_context(connect(f"memory://{size}"))
    armed = Armed(database, Outbox(database, broker, service="scheduler-svc"), size)
    await armed.fill()
    return armed


async def burst(server: str) -> None:
    """Until the outbox says each of them once."""
    url = await _fresh(server, "burst")
    told = {"broker_url": "memory://burst", "log_level": "ERROR"}
    async with db.connect(url, size=1) as database, AsyncExitStack() as stack:
        for _ in range(SCHEDULERS):
            process = await embedded.start("scheduler_svc", told, url)
            stack.push_async_callback(process.wait)
            stack.callback(process.terminate)
        await asyncio.sleep(3)
        fill = "INSERT INTO alarms SELECT n, now(), 1 FROM generate_series(1, $1) AS n"
        await database.pool.execute(fill, BURST)
        started = time.perf_counter()
        while await database.pool.fetchval("SELECT count(*) FROM outbox") < BURST:
            await asyncio.sleep(0.05)
        took = time.perf_counter() - started
        once = "SELECT count(DISTINCT body) = count(*) FROM outbox"
        assert await database.pool.fetchval(once), "an alarm rang twice"
        Console().print(f"{BURST:,} at once, {SCHEDULERS} schedulers: {took:.1f} s, each once")


async def _fresh(server: str, name: str) -> str:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    url = server.rpartition("/")[0] + f"/{name}"
    await db.migrate(url, "scheduler_svc")
    return url


def main() -> None:
    given = [int(size) for size in sys.argv[1:]]
    sizes = (given[0], given[1]) if given else SIZES
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        with postgres(Path(folder) / "postgres", durable=False) as server:
            asyncio.run(compare(server, sizes))
            asyncio.run(burst(server))


if __name__ == "__main__":
    main()
