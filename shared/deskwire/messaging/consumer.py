"""The one wrapper round every handler: decode, dedupe, one transaction a batch, ack after commit.

What fails is told to the caller of a request, tried again later, or parked with its cause as a
`dead_letters` row. While the database is away nothing fails: the batch waits.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import asyncpg
import structlog

from deskwire.db import LOST_CONNECTION
from deskwire.errors import DeskwireError, KeyReused, Rejected, SetupError
from deskwire.messaging.broker import DRAIN_SECONDS, Broker, Delivery
from deskwire.messaging.dead_letters import LEASE_SECONDS, DeadLetters, cause_of
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.handling import (
    Handled,
    Handlers,
    Handling,
    Rounds,
    fingerprint,
    in_order,
)
from deskwire.messaging.outbox import Outbox, envelope_of
from deskwire.messaging.requests import DONE, REPLAYED, refused
from deskwire.metrics import CONSUMER_UP, MESSAGES, RETRIES
from deskwire.repeating import for_ever, in_background
from deskwire.topology import Queue

log = structlog.get_logger()

IMMEDIATE_ATTEMPTS = 3
RETRY_SECONDS = (10.0, 60.0, 600.0)
"""After the immediate attempts; a message that fails after the last of them is parked."""

LETHAL_DELIVERIES = 3
"""So many consumers may die with a message before it is parked."""

RETRY_POLL_SECONDS = 1.0


@asynccontextmanager
async def consuming(
    handlers: Handlers,
    queues: Sequence[Queue],
    broker: Broker,
    outbox: Outbox,
    *,
    rounds: Rounds = in_order,
    drain: float = DRAIN_SECONDS,
) -> AsyncIterator[None]:
    """Consume the queues until left; refuses to start when handlers and topology differ."""
    expected = {message for queue in queues for message in queue.messages}
    if expected != set(handlers):
        names = sorted(m.wire_name for m in expected.symmetric_difference(handlers))
        raise SetupError(f"topology.py and the handlers differ in {', '.join(names)}")
    async with AsyncExitStack() as stack:
        for queue in queues:
            consumer = Consumer(queue, handlers, outbox, rounds)
            await stack.enter_async_context(consumer.running(broker, drain))
        yield


class Consumer:
    def __init__(
        self, queue: Queue, handlers: Handlers, outbox: Outbox, rounds: Rounds = in_order
    ) -> None:
        self._queue = queue
        self._handling = Handling(queue, handlers, rounds)
        self._outbox = outbox
        self._dead = DeadLetters(outbox.database, queue.name)
        self._suspects: set[UUID] = set()

    @asynccontextmanager
    async def running(self, broker: Broker, drain: float) -> AsyncIterator[None]:
        work = []
        if not self._queue.requests:
            what = f"retries of {self._queue.name}"
            work.append(for_ever(what, self.retry_due, RETRY_POLL_SECONDS))
        try:
            async with (
                in_background(*work),
                broker.consume(self._queue, self.handle, drain=drain),
            ):
                CONSUMER_UP.labels(self._queue.name).set(1)
                yield
        finally:
            CONSUMER_UP.labels(self._queue.name).set(0)

    async def handle(self, batch: Sequence[Delivery]) -> None:
        """Together if all goes well, else one by one, so that a bad message harms only itself."""
        suspicious = any(delivery.redelivered for delivery in batch) and not self._queue.requests
        if len(batch) > 1 and not suspicious:
            try:
                await self._together(batch)
                return
            except LOST_CONNECTION:
                raise
            except Exception as error:
                log.info("batch falls apart", messages=len(batch), cause=cause_of(error))
        for delivery in batch:
            await self._alone(delivery)
            self._suspects.discard(delivery.envelope.id)

    async def _together(self, batch: Sequence[Delivery], *, failed_before: bool = False) -> None:
        async with self._outbox.unwritten() as tx:
            handled = await self._handling.all(batch, tx)
            if failed_before:
                ids = [delivery.envelope.id for delivery in batch]
                await self._dead.forget(ids, tx)
        await self._settle(batch, handled)

    async def _settle(self, batch: Sequence[Delivery], handled: Mapping[UUID, Handled]) -> None:
        answered = set()
        results: Counter[str] = Counter()
        for delivery in batch:
            outcome = handled[delivery.envelope.id]
            repeated = outcome.replayed or delivery.envelope.id in answered
            answered.add(delivery.envelope.id)
            results["duplicate" if repeated else "handled"] += 1
            if delivery.reply is not None:
                await delivery.reply(_answer(delivery.envelope, outcome, repeated=repeated))
        for result, count in results.items():
            self._count(result, count)

    async def _alone(self, delivery: Delivery) -> None:
        """One message to its end: handled, refused, put off or parked."""
        if delivery.redelivered and not self._queue.requests and await self._lethal(delivery):
            return
        for attempt in range(1, IMMEDIATE_ATTEMPTS + 1):
            try:
                await self._together([delivery], failed_before=delivery.redelivered)
                return
            except LOST_CONNECTION:
                raise
            except Rejected as error:
                await self._refuse(delivery, error)
                return
            except Exception as error:
                crossed = isinstance(error, asyncpg.DeadlockDetectedError)
                if attempt == IMMEDIATE_ATTEMPTS or (self._queue.requests and not crossed):
                    await self._give_up(delivery, error)
                    return
            await asyncio.sleep(0.05 * attempt)

    async def _lethal(self, delivery: Delivery) -> bool:
        """Count, before the work, a message whose consumer died; park it when too many have."""
        envelope = delivery.envelope
        if envelope.id in self._suspects:
            return False  # since it was counted the database went away, not this process
        deaths = await self._dead.add(envelope, "its consumer died", LEASE_SECONDS)
        self._suspects.add(envelope.id)
        if deaths < LETHAL_DELIVERIES:
            return False
        await self._dead.put_off(envelope, f"{deaths} consumers died with it", deaths, None)
        return True

    async def _refuse(self, delivery: Delivery, error: Rejected) -> None:
        self._count("rejected")
        if delivery.reply is not None:
            await delivery.reply(refused(error))
            return
        await self._dead.add(delivery.envelope, cause_of(error), None)

    async def _give_up(self, delivery: Delivery, error: Exception) -> None:
        self._count("failed")
        log.error("handler failed", type=delivery.envelope.type, exc_info=error)
        if delivery.reply is not None:
            await delivery.reply(refused(DeskwireError("the service failed")))
            return
        RETRIES.labels(self._queue.name).inc()
        await self._dead.add(delivery.envelope, cause_of(error), RETRY_SECONDS[0])

    async def retry_due(self) -> None:
        """Handle what was put off and is due, and what an operator replays."""
        for row in await self._dead.due():
            envelope, attempt = envelope_of(row), row["attempts"]
            if attempt > len(RETRY_SECONDS) + 1:
                cause = f"its consumer died; before that: {row['error']}"
                await self._dead.put_off(envelope, cause, attempt, None)
            else:
                await self._retry(envelope, attempt)

    async def _retry(self, envelope: Envelope, attempt: int) -> None:
        try:
            await self._together([Delivery(envelope)], failed_before=True)
        except LOST_CONNECTION:
            raise
        except Rejected as error:
            await self._dead.put_off(envelope, cause_of(error), attempt, None)
        except Exception as error:
            later = RETRY_SECONDS[attempt - 1] if attempt <= len(RETRY_SECONDS) else None
            await self._dead.put_off(envelope, cause_of(error), attempt, later)

    def _count(self, result: str, messages: int = 1) -> None:
        MESSAGES.labels(self._queue.name, result).inc(messages)


def _answer(envelope: Envelope, outcome: Handled, *, repeated: bool) -> bytes:
    if repeated and outcome.fingerprint != fingerprint(envelope):
        return refused(KeyReused())
    return (REPLAYED if repeated else DONE) + (outcome.reply or "null").encode()
