"""Publishing is a row in the business transaction; the relay brings it to the broker after."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from operator import itemgetter
from typing import Any

import asyncpg
import structlog
from sqlalchemy import text

from deskwire.contracts.base import Message
from deskwire.db import Database, Session, Statement, compiled
from deskwire.errors import DeskwireError
from deskwire.messaging.broker import Broker
from deskwire.messaging.envelope import Envelope, wrap
from deskwire.messaging.housekeeping import EVERY_SECONDS, tidy
from deskwire.metrics import BROKER_CONNECTED, OUTBOX_OLDEST, OUTBOX_PENDING
from deskwire.repeating import Survived, for_ever, in_background, wait_at_most

log = structlog.get_logger()

BATCH = 200
POLL_SECONDS = 2.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
GAUGE_SECONDS = 10.0
HOLD_SECONDS = 5.0
"""What the broker refused is held back for so long, and with it the rest of its lane."""

_COLUMNS = "message_id, type, aggregate, body, correlation_id, causation_id, traceparent"

WRITE_SQL = f"""
    INSERT INTO outbox ({_COLUMNS})
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:types AS text[]), CAST(:aggregates AS text[]),
        CAST(:bodies AS text[]), CAST(:correlations AS text[]), CAST(:causations AS text[]),
        CAST(:traces AS text[]))
"""
WRITE = compiled(text(WRITE_SQL))

# A lane is what keeps its order: an aggregate, or the messages of one type that have none. A relay
# holds a lane's lock while it publishes its messages: several relays may run and none overtakes
# another. `hashtextextended` may collide; that only makes one wait. The rows are an array: a join
# that was planned for a small table would look through all rows for each of them.
_LANE = "coalesce(nullif(aggregate, ''), type)"
CLAIM = compiled(
    text(f"""
    WITH due AS MATERIALIZED (
        SELECT id, {_LANE} AS lane FROM outbox
        WHERE published_at IS NULL AND {_LANE} <> ALL(CAST(:held AS text[]))
        ORDER BY id LIMIT {BATCH}
    ), mine AS MATERIALIZED (
        SELECT id FROM due WHERE pg_try_advisory_xact_lock(hashtextextended(lane, 0))
    )
    UPDATE outbox SET published_at = now()
    WHERE id = ANY(ARRAY(SELECT id FROM mine)) AND published_at IS NULL
    RETURNING id, {_LANE} AS lane, {_COLUMNS}
    """)
)

UNPUBLISH = compiled(
    text("UPDATE outbox SET published_at = NULL WHERE id = ANY(CAST(:ids AS bigint[]))")
)

BACKLOG = compiled(
    text("""
    SELECT count(*) AS pending,
           coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest
    FROM outbox WHERE published_at IS NULL
    """)
)


class Transaction(Session):
    """A database transaction whose events are written to the outbox with it."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.outgoing: list[Envelope] = []
        self._rows: dict[Statement, list[dict[str, Any]]] = {}
        self._told: dict[Statement, Callable[[asyncpg.Record], Message]] = {}

    def emit(self, message: Message) -> None:
        """Publish when, and only when, this transaction commits."""
        self.outgoing.append(wrap(message))

    def append(self, statement: Statement, **row: Any) -> None:
        """Run the statement once, before the commit, with a list per column of all rows."""
        self._rows.setdefault(statement, []).append(row)

    def appended(self, statement: Statement) -> Sequence[Mapping[str, Any]]:
        """The rows that the statement has yet to be run with."""
        return self._rows.get(statement, ())

    def append_and_tell(
        self, statement: Statement, event: Callable[[asyncpg.Record], Message], **row: Any
    ) -> None:
        """As `append`; the event of each row that the statement returns is published, too."""
        self._told[statement] = event
        self.append(statement, **row)

    async def flush(self) -> None:
        """Write the appended rows; called by whoever commits."""
        for statement, rows in self._rows.items():
            columns = {name: [r[name] for r in rows] for name in rows[0]}
            event = self._told.get(statement)
            if event is None:
                await self.execute(statement, **columns)
                continue
            for found in await self.fetch(statement, **columns):
                self.emit(event(found))
        self._rows.clear()


def outbox_columns(envelopes: Sequence[Envelope]) -> dict[str, list[Any]]:
    return {
        "ids": [e.id for e in envelopes],
        "types": [e.type for e in envelopes],
        "aggregates": [e.aggregate for e in envelopes],
        "bodies": [e.body.decode() for e in envelopes],
        "correlations": [e.correlation_id for e in envelopes],
        "causations": [e.causation_id for e in envelopes],
        "traces": [e.traceparent for e in envelopes],
    }


def envelope_of(row: asyncpg.Record) -> Envelope:
    """The envelope that an outbox or dead letter row holds."""
    body = row["body"]
    return Envelope(
        type=row["type"],
        body=body.encode() if isinstance(body, str) else body,
        id=row["message_id"],
        aggregate=row["aggregate"],
        correlation_id=row["correlation_id"],
        causation_id=row["causation_id"],
        traceparent=row["traceparent"],
    )


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Transaction]:
    """Commits at the end with everything emitted, or nothing of it. A relay of the service finds
    that; to wake the one of this process, see `Outbox.transaction`."""
    async with database.pool.acquire() as connection, connection.transaction():
        tx = Transaction(connection)
        yield tx
        await write(tx)


async def write(tx: Transaction) -> None:
    """All rows and events that wait for the end of the transaction."""
    await tx.flush()
    if tx.outgoing:
        await tx.execute(WRITE, **outbox_columns(tx.outgoing))


class Outbox:
    """The transactions of one service, and the relay that publishes what they emitted."""

    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        service: str,
        poll: float = POLL_SECONDS,
        after_commit: Callable[[], None] = lambda: None,
        tidy: Sequence[Statement] = (),
    ) -> None:
        """``after_commit`` tells an edge that there may be work for it; ``tidy`` are statements
        that remove what is old in the service's own tables, see `housekeeping.tidy`."""
        self.database = database
        self.service = service
        self._after_commit = after_commit
        self._tidy = tidy
        self._broker = broker
        self._poll = poll
        self._wake = asyncio.Event()
        self._held: dict[str, float] = {}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits at the end with everything emitted, or nothing of it."""
        async with self.unwritten() as tx:
            yield tx
            await write(tx)

    @asynccontextmanager
    async def unwritten(self) -> AsyncIterator[Transaction]:
        """A transaction whose user writes the outbox, in one statement with something else."""
        async with self.database.pool.acquire() as connection:
            async with connection.transaction():
                tx = Transaction(connection)
                yield tx
            if tx.outgoing:
                self._wake.set()
            self._after_commit()

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator["Outbox"]:
        async with in_background(
            self._relay(),
            for_ever("measure of the outbox", self._measure, GAUGE_SECONDS),
            for_ever("housekeeping", partial(tidy, self.database, self._tidy), EVERY_SECONDS),
        ):
            yield self

    async def relay_once(self) -> tuple[int, int]:
        """Publish what waits: how many were claimed, and how many could not be published."""
        async with self.database.transaction() as session:
            rows = sorted(await session.fetch(CLAIM, held=self._lanes_held()), key=itemgetter("id"))
            lanes: dict[str, list[asyncpg.Record]] = {}
            for row in rows:
                lanes.setdefault(row["lane"], []).append(row)
            results = await asyncio.gather(*map(self._publish_in_order, lanes.values()))
            failed = [row for refused in results for row in refused]
            if failed:
                self._hold({row["lane"] for row in failed})
                await session.execute(UNPUBLISH, ids=[row["id"] for row in failed])
            return len(rows), len(failed)

    def _lanes_held(self) -> list[str]:
        now = time.monotonic()
        self._held = {lane: until for lane, until in self._held.items() if until > now}
        return list(self._held)

    def _hold(self, lanes: set[str]) -> None:
        """Else the next claim would find the same ones, and never what waits behind them."""
        self._held |= dict.fromkeys(lanes, time.monotonic() + HOLD_SECONDS)

    async def _publish_in_order(self, rows: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
        """The rows not published: all from the first failure on, so that none overtakes another."""
        for done, row in enumerate(rows):
            try:
                await self._broker.publish(envelope_of(row))
            except DeskwireError as error:
                log.warning("not published", type=row["type"], code=error.code, cause=str(error))
                return rows[done:]
            except Exception:
                log.exception("not published", type=row["type"], message_id=str(row["message_id"]))
                return rows[done:]
        return ()

    async def _relay(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._wake.clear()
            outcome = await self._try_relay()
            if outcome is None:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            claimed, failed = outcome
            if claimed and claimed == failed:
                await asyncio.sleep(FIRST_PAUSE)
            elif claimed < BATCH:
                await wait_at_most(self._wake, self._poll)

    async def _try_relay(self) -> tuple[int, int] | None:
        """None while the broker or the database is away."""
        if not self._broker.connected:
            return None
        with Survived(f"relay of {self.service}"):
            return await self.relay_once()
        return None

    async def _measure(self) -> None:
        BROKER_CONNECTED.labels(self.service).set(self._broker.connected)
        row = await self.database.fetch_one(BACKLOG)
        if row is not None:
            OUTBOX_PENDING.labels(self.service).set(row["pending"])
            OUTBOX_OLDEST.labels(self.service).set(row["oldest"])
