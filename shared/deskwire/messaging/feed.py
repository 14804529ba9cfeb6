"""Between a transport and a handler: what waits, taken in batches, one batch at a time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from deskwire.messaging.broker import BATCH, Delivery, HandleBatch
from deskwire.repeating import wait_at_most

log = structlog.get_logger()

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0


class Waiting:
    """Deliveries that no handler has taken yet."""

    def __init__(self) -> None:
        self._items: deque[Delivery] = deque()
        self._arrived = asyncio.Event()

    def put(self, delivery: Delivery) -> None:
        self._items.append(delivery)
        self._arrived.set()

    def put_back(self, batch: Sequence[Delivery]) -> None:
        """To the front, in the old order: somebody else may take them."""
        self._items.extendleft(replace(item, redelivered=True) for item in reversed(batch))
        self._arrived.set()

    def discard(self, delivery: Delivery) -> None:
        """Nobody waits for its reply any more; it may have been put back in between."""
        self._items = deque(item for item in self._items if item.reply is not delivery.reply)

    async def take(self) -> list[Delivery]:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]


class Feeder:
    """The loop that hands batches to one handler."""

    def __init__(self, waiting: Waiting, handle: HandleBatch, done: HandleBatch) -> None:
        self._waiting = waiting
        self._handle = handle
        self._done = done
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self) -> None:
        while not self._stopping:
            batch = await self._waiting.take()
            self._idle.clear()
            try:
                await self._until_handled(batch)
                await self._done(batch)
            except BaseException:
                self._waiting.put_back(batch)
                raise
            finally:
                self._idle.set()

    async def stop(self, drain: float) -> None:
        """Take no new batch; wait for the one in work."""
        self._stopping = True
        await wait_at_most(self._idle, drain)

    async def _until_handled(self, batch: Sequence[Delivery]) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._handle(batch)
            except Exception:
                log.exception("batch waits", messages=len(batch), pause=pause)
            if self._stopping:
                raise asyncio.CancelledError
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


@asynccontextmanager
async def feeding(
    waiting: Waiting, handle: HandleBatch, done: HandleBatch, *, drain: float
) -> AsyncIterator[None]:
    feeder = Feeder(waiting, handle, done)
    task = asyncio.create_task(feeder.run())
    try:
        yield
    finally:
        await feeder.stop(drain)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
