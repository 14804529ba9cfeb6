"""One reader a process for all who listen: what it reads is kept for a moment, for the slower."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice

from deskwire.db import Database
from deskwire.repeating import Survived, in_background, wait_at_most
from gateway.readmodel import changes
from gateway.readmodel.changes import Change, Page, Place

POLL_SECONDS = 1.0
"""Behind the wake: what other replicas have projected."""

PAUSE_SECONDS = 0.02
"""So long at least between two reads; and until what older transactions keep back is asked for."""

KEPT_CHANGES = 2_000
KEPT_BYTES = 16 * 1024 * 1024
TOGETHER = 64

STREAMS_PER_KEY = 20
STREAMS = 1_000
"""Of one process."""


class TooSlow(Exception):
    """What this listener would be told next is kept no longer."""


class Feed:
    """The changes as they settle. It reads only while somebody listens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: deque[Change] = deque()
        self._bytes = 0
        self.told = 0  # how many changes: the number of the next one
        self.upto: Place | None = None
        self._listeners: set[Listener] = set()
        self._starting = asyncio.Lock()
        self._woken = asyncio.Event()
        self._news = asyncio.Event()
        self.closing = asyncio.Event()
        self.streams: Counter[int] = Counter()

    def wake(self) -> None:
        """There may be changes: a transaction of this process has committed."""
        self._woken.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Until left, which sends the listeners away."""
        async with in_background(self._read_for_ever()):
            try:
                yield
            finally:
                self.closing.set()

    def has_room(self, key_id: int) -> bool:
        return self.streams[key_id] < STREAMS_PER_KEY and self.streams.total() < STREAMS

    @contextmanager
    def taking_room(self, key_id: int) -> Iterator[None]:
        self.streams[key_id] += 1
        try:
            yield
        finally:
            self.streams[key_id] -= 1
            self.streams += Counter()  # drops what is 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        """Hears every change from now on, that is after its ``since``."""
        async with self._starting:
            if self.upto is None:
                self.upto = await changes.now(self._database)
        listener = Listener(self, self.told, self.upto)
        self._listeners.add(listener)
        self._woken.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._forget()

    def _forget(self) -> None:
        self.upto = None
        self._kept.clear()
        self._bytes = 0

    async def _read_for_ever(self) -> None:
        while True:
            self._woken.clear()
            again = False
            if self.upto is not None:
                again = await self._try_read(self.upto)
                await asyncio.sleep(PAUSE_SECONDS)
            if not again:
                await wait_at_most(self._woken, POLL_SECONDS)

    async def _try_read(self, after: Place) -> bool:
        """Whether there is more to be read at once."""
        with Survived("feed of events"):
            page = await changes.read(self._database, after)
            if self.upto is not after:
                return True  # all listeners left meanwhile, and others came
            self._tell(page)
            return page.more or page.waiting
        return False

    def _tell(self, page: Page) -> None:
        """In one step with the place: a listener is never told of a place before its changes."""
        self.upto = page.upto
        if not page.changes:
            return
        self.told += len(page.changes)
        self._kept.extend(page.changes)
        self._bytes += sum(len(change.doc) for change in page.changes)
        while len(self._kept) > KEPT_CHANGES or self._bytes > KEPT_BYTES:
            self._bytes -= len(self._kept.popleft().doc)
        news, self._news = self._news, asyncio.Event()
        news.set()

    def told_from(self, number: int) -> Sequence[Change]:
        """Some of those with this number and higher ones. Raises `TooSlow`."""
        start = number - (self.told - len(self._kept))
        if start < 0:
            raise TooSlow
        return list(islice(self._kept, start, start + TOGETHER))

    async def wait(self, seconds: float) -> None:
        """Until there are changes, at most so long."""
        await wait_at_most(self._news, seconds)


class Listener:
    """What one listener has heard of."""

    def __init__(self, feed: Feed, number: int, since: Place) -> None:
        self.since = since
        self.upto = since
        self._feed = feed
        self._number = number

    async def next(self, seconds: float) -> Sequence[Change]:
        """Some changes, oldest first; none when there were none for so long. Raises `TooSlow`."""
        if self._number == self._feed.told:
            await self._feed.wait(seconds)
        found = self._feed.told_from(self._number)
        self._number += len(found)
        self.upto = found[-1].place if found else self._feed.upto or self.upto
        return found
