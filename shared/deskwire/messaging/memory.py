"""The broker inside one process, for the embedded run and for tests.

A publish is confirmed only when every consumer is done with the message: an embedded run that is
killed loses nothing, because its outbox still holds the row.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from deskwire.errors import Unavailable, Unroutable
from deskwire.messaging.broker import DRAIN_SECONDS, Delivery, HandleBatch
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.feed import Waiting, feeding
from deskwire.topology import Queue, listeners

PUBLISH_SECONDS = 10.0


class _MemoryQueue:
    def __init__(self) -> None:
        self.waiting = Waiting()
        self._unsettled: dict[UUID, asyncio.Future[None]] = {}

    def put(self, envelope: Envelope) -> asyncio.Future[None]:
        """A message that is published again while it still waits is the same message."""
        settled = self._unsettled.get(envelope.id)
        if settled is None:
            settled = asyncio.get_running_loop().create_future()
            self._unsettled[envelope.id] = settled
            self.waiting.put(Delivery(envelope))
        return settled

    async def settle(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            settled = self._unsettled.pop(delivery.envelope.id, None)
            if settled is not None and not settled.done():
                settled.set_result(None)


class MemoryBroker:
    """All services of a process that name the same ``memory://`` URL share one."""

    connected = True

    def __init__(self) -> None:
        self._queues: dict[str, _MemoryQueue] = {}

    async def publish(self, envelope: Envelope) -> None:
        queues = listeners(envelope.type, requests=False)
        if not queues:
            raise Unroutable(f"no queue takes {envelope.type}")
        settled = [self._queue(queue).put(envelope) for queue in queues]
        _, unsettled = await asyncio.wait(settled, timeout=PUBLISH_SECONDS)
        if unsettled:
            raise Unavailable(f"{envelope.type} was not handled in {PUBLISH_SECONDS} s")

    async def request(self, envelope: Envelope, *, timeout: float) -> bytes:
        queues = listeners(envelope.type, requests=True)
        if not queues:
            raise Unroutable(f"no queue takes {envelope.type}")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def reply(body: bytes) -> None:
            if not answer.done():
                answer.set_result(body)

        waiting, delivery = self._queue(queues[0]).waiting, Delivery(envelope, reply=reply)
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
        mine = self._queue(queue)
        async with feeding(mine.waiting, handle, mine.settle, drain=drain):
            yield

    def _queue(self, queue: Queue) -> _MemoryQueue:
        return self._queues.setdefault(queue.name, _MemoryQueue())


_brokers: dict[str, MemoryBroker] = {}


def broker_at(url: str) -> MemoryBroker:
    return _brokers.setdefault(url, MemoryBroker())
