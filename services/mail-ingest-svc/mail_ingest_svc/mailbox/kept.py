"""Takes in the mails that are in the blobs already: handed in, or taken up again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from operator import itemgetter

import asyncpg

from deskwire.blobs import Blobs
from deskwire.errors import NotFound
from deskwire.messaging.outbox import Outbox
from deskwire.repeating import wait_at_most
from mail_ingest_svc.domain import CHUNK_MAILS, Listed, chunks
from mail_ingest_svc.mailbox.faults import Trouble, fault_of_the_mail
from mail_ingest_svc.mailbox.port import NotFetched
from mail_ingest_svc.mailbox.prepare import Claimed, Preparing, Unprepared
from mail_ingest_svc.mailbox.taking import LETHAL_CLAIMS, Taking
from mail_ingest_svc.parse.headers import MAX_BLOCK, headers_alone
from mail_ingest_svc.store import ledger

LOOK_SECONDS = 1.0


class KeptMails:
    def __init__(self, outbox: Outbox, blobs: Blobs, preparing: Preparing, *, limit: int) -> None:
        self._database = outbox.database
        self._blobs = blobs
        self._preparing = preparing
        self._taking = Taking(outbox)
        self._limit = limit
        self._stopped = asyncio.Event()
        self._trouble = Trouble("kept mails wait")

    @asynccontextmanager
    async def watching(self, drain: float) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._stopped.set()
            await asyncio.wait([task], timeout=drain)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while not self._stopped.is_set():
            if not await self._look_safely():
                await wait_at_most(self._stopped, LOOK_SECONDS)

    async def _look_safely(self) -> bool:
        try:
            more = await self.look()
        except Exception as error:
            self._trouble.tell(error)
            return False
        self._trouble.end()
        return more

    async def look(self) -> bool:
        """Take in what is there; returns whether there may be more."""
        fresh = await self._claim(CHUNK_MAILS, again=False)
        claimed = {str(row["id"]): _claimed(row) for row in fresh}
        for chunk in chunks([each.mail for each in claimed.values()], self._limit):
            await self._take([claimed[mail.uid] for mail in chunk])
        begun = await self._claim(1, again=True)
        for row in begun:
            await self._take_again(row)
        return bool(fresh or begun)

    async def _claim(self, limit: int, *, again: bool) -> Sequence[asyncpg.Record]:
        rows = await self._database.fetch(ledger.CLAIM_KEPT, again=again, limit=limit)
        return sorted(rows, key=itemgetter("id"))

    async def _take_again(self, row: asyncpg.Record) -> None:
        """Alone, so that a lethal mail harms only itself."""
        if row["attempts"] > LETHAL_CLAIMS:
            error = RuntimeError(row["reason"] or "the service died with it")
            await self._taking.fail(_claimed(row), Unprepared(error))
        else:
            await self._take([_claimed(row)])

    async def _take(self, claims: Sequence[Claimed]) -> None:
        try:
            contents = await asyncio.gather(*map(self._read, claims))
            outcomes = await self._preparing.all(dict(zip(claims, contents, strict=True)))
            await self._taking.commit(outcomes)
        except Exception as error:
            if not fault_of_the_mail(error):
                await self._taking.release(claims, error)
            raise
        for claimed, outcome in outcomes.items():
            if isinstance(outcome, Unprepared):
                await self._taking.fail(claimed, outcome)

    async def _read(self, claimed: Claimed) -> bytes | NotFetched:
        """Of a mail over the limit its headers."""
        raw_id = claimed.raw_id or ""
        try:
            if claimed.mail.size <= self._limit:
                return await self._blobs.get(raw_id)
            beginning = await self._blobs.read(raw_id, range(MAX_BLOCK))
        except NotFound as error:
            return NotFetched(str(error))
        return headers_alone(b"".join([bytes(chunk) async for chunk in beginning]))


def _claimed(row: asyncpg.Record) -> Claimed:
    mail = Listed(str(row["id"]), row["size"])
    return Claimed(row["id"], mail, row["mailbox"], row["raw_id"])
