"""The broker inside one process, for the embedded run and for tests.

A publish is confirmed only when every consumer is done with the message: an embedded run that is
killed loses nothing, because its outbox still holds the row.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from deskwire.errors import Unavailable, Unroutable
from deskwire.messaging.broker import DRAIN_SECONDS, Delivery, HandleBatch
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.feed import Waiting, feeding
from deskwire.topology import Queue, listeners

PUBLISH_SECONDS = 10.0


@dataclass(slots=True)
class _Publication:
    """A message that as many queues are not done with yet."""

    queues: int
    settled: asyncio.Event = field(default_factory=asyncio.Event)


class MemoryBroker:
    """All services of a process that name the same ``memory://`` URL share one."""

    connected = True

    def __init__(self) -> None:
        self._queues: dict[str, Waiting] = {}
        self._unsettled: dict[UUID, _Publication] = {}

    async def publish(self, envelope: Envelope) -> None:
        """A message that is published again while it still waits is the same message."""
        publication = self._unsettled.get(envelope.id) or self._put(envelope)
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await publication.settled.wait()
        except TimeoutError:
            cause = f"{envelope.type} was not handled in {PUBLISH_SECONDS} s"
            raise Unavailable(cause) from None

    def _put(self, envelope: Envelope) -> _Publication:
        queues = listeners(envelope.type, requests=False)
        if not queues:
            raise Unroutable(f"no queue takes {envelope.type}")
        publication = self._unsettled[envelope.id] = _Publication(len(queues))
        for queue in queues:
            self._queue(queue).put(Delivery(envelope))
        return publication

    async def _settle(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            publication = self._unsettled.get(delivery.envelope.id)
            if publication is None:
                continue
            publication.queues -= 1
            if not publication.queues:
                publication.settled.set()
                del self._unsettled[delivery.envelope.id]

    async def request(self, envelope: Envelope, *, timeout: float) -> bytes:
        queues = listeners(envelope.type, requests=True)
        if not queues:
            raise Unroutable(f"no queue takes {envelope.type}")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def reply(body: bytes) -> None:
            if not answer.done():
                answer.set_result(body)

        waiting, delivery = self._queue(queues[0]), Delivery(envelope, reply=reply)
        waiting.put(delivery)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            waiting.discard(delivery)
            raise Unavailable(f"no answer to {envelope.type} in {timeout:g} s") from None

    @asynccontextmanager
    async def consume(
        self, queue: Queue, handle: HandleBatch, *, drain: float = DRAIN_SECONDS
    ) -> AsyncIterator[None]:
        async with feeding(self._queue(queue), handle, self._settle, drain=drain):
            yield

    def _queue(self, queue: Queue) -> Waiting:
        return self._queues.setdefault(queue.name, Waiting())


_brokers: dict[str, MemoryBroker] = {}


def broker_at(url: str) -> MemoryBroker:
    return _brokers.setdefault(url, MemoryBroker())
