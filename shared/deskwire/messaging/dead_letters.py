"""Messages that failed, with their cause: put off for a later attempt, or parked."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text

from deskwire.db import Database, Session, compiled
from deskwire.messaging.envelope import Envelope
from deskwire.metrics import PARKED

log = structlog.get_logger()

LEASE_SECONDS = 300.0
"""So long nobody else tries a message that is being tried."""

FAIL = compiled(
    text("""
    INSERT INTO dead_letters (consumer, message_id, type, aggregate, body, correlation_id,
                              causation_id, traceparent, attempts, error, retry_at)
    VALUES (:consumer, :id, :type, :aggregate, :body, :correlation, :causation, :trace,
            1, :error, now() + make_interval(secs => :delay))
    ON CONFLICT (consumer, message_id) DO UPDATE
    SET attempts = dead_letters.attempts + excluded.attempts, error = excluded.error,
        failed_at = now(), retry_at = excluded.retry_at
    RETURNING attempts
    """)
)

PUT_OFF = compiled(
    text("""
    UPDATE dead_letters
    SET attempts = :attempts, error = :error, failed_at = now(),
        retry_at = now() + make_interval(secs => :delay)
    WHERE consumer = :consumer AND message_id = :id
    """)
)

# The attempt is counted before it is made: a message that kills its consumer comes to an end too.
CLAIM_DUE = compiled(
    text("""
    UPDATE dead_letters
    SET retry_at = now() + make_interval(secs => :lease), attempts = attempts + 1
    WHERE (consumer, message_id) IN (
        SELECT consumer, message_id FROM dead_letters
        WHERE consumer = :consumer AND retry_at <= now()
        ORDER BY retry_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING *
    """)
)

FORGET = compiled(
    text("""
    DELETE FROM dead_letters
    WHERE consumer = :consumer AND message_id = ANY(CAST(:ids AS uuid[]))
    """)
)


class DeadLetters:
    """The failed messages of one queue. A delay of None parks, until an operator replays."""

    def __init__(self, database: Database, queue: str) -> None:
        self._database = database
        self._queue = queue

    async def add(self, envelope: Envelope, error: str, delay: float | None) -> int:
        """One more failure; returns how many there have been."""
        self._tell(envelope, error, delay)
        total = await self._database.fetch_value(
            FAIL,
            consumer=self._queue,
            id=envelope.id,
            type=storable(envelope.type),
            aggregate=storable(envelope.aggregate),
            body=envelope.body,
            correlation=storable(envelope.correlation_id),
            causation=storable(envelope.causation_id),
            trace=storable(envelope.traceparent),
            error=error,
            delay=delay,
        )
        return int(total)

    async def put_off(
        self, envelope: Envelope, error: str, attempts: int, delay: float | None
    ) -> None:
        self._tell(envelope, error, delay)
        await self._database.execute(
            PUT_OFF,
            consumer=self._queue,
            id=envelope.id,
            attempts=attempts,
            error=error,
            delay=delay,
        )

    async def due(self) -> Sequence[asyncpg.Record]:
        """Leased, with the attempt that is now made counted."""
        return await self._database.fetch(CLAIM_DUE, consumer=self._queue, lease=LEASE_SECONDS)

    async def forget(self, ids: Sequence[UUID], session: Session) -> None:
        """They are handled, in the same transaction."""
        await session.execute(FORGET, consumer=self._queue, ids=ids)

    def _tell(self, envelope: Envelope, error: str, delay: float | None) -> None:
        if delay is None:
            log.error("message parked", type=envelope.type, cause=error)
            PARKED.labels(self._queue).inc()


def cause_of(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}")[:4000]


def storable(told: str) -> str:
    """PostgreSQL takes neither NUL nor lone surrogates."""
    return told.encode("utf-8", "replace").decode().replace("\0", "")
