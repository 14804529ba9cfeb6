"""Takes what a mailbox lists into the ledger: claim, read, commit with the event, then move.

Every point at which this may die is safe. Before the commit the mail is read again; after it the
ledger row is found, and only the move is repeated.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from prometheus_client import Gauge

from deskwire.db import Database
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.oauth import OAuthAway, OAuthRefused, Tokens
from mail_ingest_svc.domain import Listed, chunks, folder_for
from mail_ingest_svc.mailbox.faults import fault_of_the_mail
from mail_ingest_svc.mailbox.port import Fetched, LoginRefused, Mailbox, MailboxAway, NotMoved
from mail_ingest_svc.mailbox.prepare import Claimed, Outcome, Preparing, Unprepared
from mail_ingest_svc.mailbox.taking import LETHAL_CLAIMS, Taking
from mail_ingest_svc.store import ledger
from mail_ingest_svc.store.documents import changed

log = structlog.get_logger()

LAST_SUCCESS = Gauge(
    "deskwire_mailbox_last_success_seconds",
    "When the mailbox was last listed, at first when that was begun",
    ["mailbox"],
)

RETRY_SECONDS = 1.0

CHUNKS_AT_ONCE = 2

Result = TypeVar("Result")

Begun = list[tuple[int, Claimed]]
"""How often each was begun."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of the mails that are listed those that are to be done something with."""

    fresh: list[Claimed]
    begun: Begun
    unmoved: list[tuple[Claimed, str]]
    """With the state of each."""


class Intake:
    """One mailbox, the one thread that touches it, and the ledger."""

    def __init__(
        self,
        mailbox: Mailbox,
        outbox: Outbox,
        preparing: Preparing,
        tokens: Tokens,
        *,
        max_bytes: int,
    ) -> None:
        self.mailbox = mailbox
        self._tokens = tokens
        self.stopping = False
        self._outbox = outbox
        self._taking = Taking(outbox)
        self._preparing = preparing
        self._limit = max_bytes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=mailbox.name)
        self._first_look = True
        self._tardy: set[int] = set()
        self._retry = False
        self._unmoved = ""
        LAST_SUCCESS.labels(mailbox.name).set_to_current_time()  # one that never answers is told of

    async def run(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """In the mailbox's own thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, *arguments)

    async def open(self) -> None:
        self._first_look = True
        name = self.mailbox.oauth
        if name is None:
            await self.run(self.mailbox.open, None)
        else:
            await self._open_by_token(name)

    async def _open_by_token(self, name: str) -> None:
        try:
            await self.run(self.mailbox.open, await self._tokens.access(name))
        except OAuthRefused as error:
            raise LoginRefused(f"OAuth client {name}: {error}") from error
        except OAuthAway as error:
            raise MailboxAway(f"OAuth client {name}: {error}") from error
        except LoginRefused:
            self._tokens.forget(name)
            raise

    async def close(self) -> None:
        await self.run(self.mailbox.close)

    def end(self) -> None:
        self._thread.shutdown(wait=False)

    async def look(self) -> bool:
        """Take in all that is listed; returns whether some of it is to be tried again soon."""
        self._retry = False
        listed = await self.run(self.mailbox.listing)
        LAST_SUCCESS.labels(self.mailbox.name).set_to_current_time()
        if self._first_look and self.mailbox.settled:
            self._first_look = self._retry = await self._note_those_that_left(listed)
        await self._take_begun(await self._take_fresh(listed))
        return self._retry

    @property
    def taken(self) -> int:
        return self._taking.taken

    @property
    def unmoved(self) -> bool:
        """Whether the server has last refused a move."""
        return bool(self._unmoved)

    @property
    def _database(self) -> Database:
        return self._outbox.database

    def _folder(self) -> dict[str, Any]:
        box = self.mailbox
        return {"mailbox": box.name, "folder": box.folder, "uidvalidity": box.uidvalidity}

    async def _note_those_that_left(self, listed: Sequence[Listed]) -> bool:
        """Whether it is to be looked again, when no other process has any of them."""
        uids = [mail.uid for mail in listed]
        async with self._outbox.transaction() as tx:
            left = await tx.fetch(ledger.LEFT, uids=uids, **self._folder())
            if gone := [row["id"] for row in left if not row["later"]]:
                await self._lose(gone, tx)
        return any(row["later"] for row in left)

    async def _lose(self, ids: Sequence[int], tx: Transaction) -> None:
        for row in await tx.fetch(ledger.GONE, ids=ids):
            tx.emit(changed(row))

    async def _take_fresh(self, listed: Sequence[Listed]) -> Begun:
        """Take in what is new; while a chunk is written and moved, the next one is read.

        Returns what was begun before.
        """
        begun: Begun = []
        work: deque[asyncio.Task[None]] = deque()
        try:
            for chunk in chunks(listed, self._limit):
                if self.stopping:
                    break
                if len(work) == CHUNKS_AT_ONCE:
                    await work[0]
                    work.popleft()
                chosen = await self._claim(chunk)
                begun += chosen.begun
                before = work[-1] if work else None
                work.append(asyncio.create_task(self._take_chunk(chosen, before)))
            for task in work:
                await task
        except asyncio.CancelledError:
            for task in work:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*work, return_exceptions=True)
        return begun

    async def _take_chunk(self, chosen: Chosen, before: asyncio.Task[None] | None) -> None:
        await self._take(chosen.fresh, before)
        await self._move(chosen.unmoved)

    async def _claim(self, chunk: Sequence[Listed]) -> Chosen:
        uids, sizes = [mail.uid for mail in chunk], [mail.size for mail in chunk]
        rows = await self._database.fetch(ledger.CLAIM, uids=uids, sizes=sizes, **self._folder())
        self._retry |= len(rows) < len(chunk)  # another process is just claiming the rest
        mails = {mail.uid: mail for mail in chunk}
        chosen = Chosen([], [], [])
        for row in rows:
            claimed = Claimed(row["id"], mails[row["uid"]], self.mailbox.name)
            if row["fresh"]:
                chosen.fresh.append(claimed)
            elif row["free"]:
                chosen.begun.append((row["attempts"], claimed))
            elif row["busy"]:
                self._retry = True
            elif not row["flagged"]:
                chosen.unmoved.append((claimed, row["state"]))
        return chosen

    async def _take_begun(self, begun: Begun) -> None:
        """One by one, so that a lethal mail harms only itself; the most suspicious come last."""
        order = {
            claimed: (claimed.id in self._tardy, tries, claimed.id) for tries, claimed in begun
        }
        for claimed in sorted(order, key=order.__getitem__):
            if self.stopping:
                return
            row = await self._database.fetch_one(ledger.CLAIM_AGAIN, id=claimed.id)
            if row is None:
                self._retry = True
            elif row["attempts"] > LETHAL_CLAIMS:
                error = RuntimeError(row["reason"] or "the service died with it")
                await self._fail(claimed, Unprepared(error))
            else:
                await self._take([claimed])

    async def _take(
        self, claims: Sequence[Claimed], before: asyncio.Task[None] | None = None
    ) -> None:
        """``before``: what is to be written first: an answer comes after what it answers."""
        if not claims:
            return
        try:
            outcomes = await self._prepare(claims)
            if before is not None:
                await asyncio.wait([before])
            states = await self._taking.commit(outcomes)
        except Exception as error:
            if not fault_of_the_mail(error):
                await self._release(claims, error)
            raise
        for claimed, outcome in outcomes.items():
            if isinstance(outcome, Unprepared):
                await self._fail(claimed, outcome)
        await self._move([(each, states[each.id]) for each in claims if each.id in states])

    async def _release(self, claims: Sequence[Claimed], error: Exception) -> None:
        if len(claims) == 1:
            self._tardy.add(claims[0].id)
        await self._taking.release(claims, error)

    async def _prepare(self, claims: Sequence[Claimed]) -> dict[Claimed, Outcome]:
        fetched = await self._fetch([claimed.mail for claimed in claims])
        gone = [claimed.id for claimed in claims if claimed.mail.uid not in fetched]
        if gone:
            async with self._outbox.transaction() as tx:
                await self._lose(gone, tx)
        there = {each: fetched[each.mail.uid] for each in claims if each.mail.uid in fetched}
        return await self._preparing.all(there)

    async def _fetch(self, mails: Sequence[Listed]) -> Fetched:
        small = [mail for mail in mails if mail.size <= self._limit]
        large = [mail for mail in mails if mail.size > self._limit]
        fetched = dict(await self.run(self.mailbox.fetch, small)) if small else {}
        if large:
            fetched |= await self.run(self.mailbox.fetch_headers, large)
        return fetched

    async def _fail(self, claimed: Claimed, wrong: Unprepared) -> None:
        if await self._taking.fail(claimed, wrong):
            await self._move([(claimed, "failed")])
        else:
            self._retry = True

    async def _move(self, taken: Sequence[tuple[Claimed, str]]) -> None:
        by_folder: dict[str, list[Claimed]] = defaultdict(list)
        for claimed, state in taken:
            size, processed = claimed.mail.size, self.mailbox.processed
            folder = folder_for(state, size, limit=self._limit, processed=processed)
            by_folder[folder].append(claimed)
        for folder, claims in by_folder.items():
            await self._move_to(folder, claims)

    async def _move_to(self, folder: str, claims: Sequence[Claimed]) -> None:
        """A mail that cannot be moved stays, and is known by its ledger row."""
        try:
            await self.run(self.mailbox.move, [claimed.mail for claimed in claims], folder)
        except NotMoved as error:
            if str(error) != self._unmoved:
                log.warning("mails not moved", folder=folder, cause=str(error))
            self._unmoved = str(error)
            return
        self._unmoved = ""
        await self._database.execute(ledger.MOVED, ids=[claimed.id for claimed in claims])
