"""Keeps an eye on each mailbox for ever, whatever becomes of its server or of the others."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from deskwire.blobs import Blobs
from deskwire.messaging.outbox import Outbox
from deskwire.oauth import Tokens
from deskwire.repeating import wait_at_most
from mail_ingest_svc.mailbox.faults import Trouble
from mail_ingest_svc.mailbox.intake import RETRY_SECONDS, Intake
from mail_ingest_svc.mailbox.kept import KeptMails
from mail_ingest_svc.mailbox.parsers import Parsers
from mail_ingest_svc.mailbox.port import LoginRefused, Mailbox
from mail_ingest_svc.mailbox.prepare import Preparing
from mail_ingest_svc.settings import Settings

log = structlog.get_logger()

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
REFUSED_PAUSE = 300.0
"""A refused login that is repeated too often gets the account locked."""


@asynccontextmanager
async def watching(
    mailboxes: Sequence[Mailbox], outbox: Outbox, blobs: Blobs, settings: Settings
) -> AsyncIterator[None]:
    """Take in the mail of all mailboxes, and what is in the blobs already, until left; then end the
    chunk in work, and no more."""
    limit = settings.max_mail_bytes
    parsers = Parsers(settings.own_addresses, settings.authserv_id)
    tokens = Tokens(settings.oauth, outbox.database)
    preparing = Preparing(blobs, parsers, limit=limit)
    kept = KeptMails(outbox, blobs, preparing, limit=limit)
    watchers = [
        Watcher(Intake(mailbox, outbox, preparing, tokens, max_bytes=limit), settings.poll_seconds)
        for mailbox in mailboxes
    ]
    tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    try:
        async with kept.watching(settings.shutdown_seconds):
            yield
    finally:
        for watcher in watchers:
            watcher.stop()
        await _ended(tasks, watchers, settings.shutdown_seconds)
        await parsers.aclose()


async def _ended(
    tasks: Sequence[asyncio.Task[None]], watchers: Sequence["Watcher"], drain: float
) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=drain)
    for task, watcher in zip(tasks, watchers, strict=True):
        if not task.done():
            watcher.interrupt()
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Watcher:
    def __init__(self, intake: Intake, poll: float) -> None:
        self._intake = intake
        self._mailbox = intake.mailbox
        self._poll = poll
        self._pause = FIRST_PAUSE
        self._trouble = Trouble("mailbox waits")
        self._stopped = asyncio.Event()
        self._waiting = False

    def stop(self) -> None:
        self._intake.stopping = True
        self._stopped.set()
        if self._waiting:
            self.interrupt()

    def interrupt(self) -> None:
        self._mailbox.interrupt()

    async def watch(self) -> None:
        structlog.contextvars.bind_contextvars(mailbox=self._mailbox.name)
        while not self._stopped.is_set():
            taken = self._intake.taken
            try:
                await self._intake.open()
                await self._look_and_wait()
            except Exception as error:
                if self._intake.taken > taken:
                    self._pause = FIRST_PAUSE
                if not self._stopped.is_set():
                    self._trouble.tell(error)
                    await self._rest(error)
            finally:
                await self._intake.close()
        self._intake.end()

    async def _look_and_wait(self) -> None:
        complete_at = math.inf
        while not self._stopped.is_set():
            if time.monotonic() >= complete_at:
                self._mailbox.rewind()
                complete_at = math.inf
            taken = self._intake.taken
            retry = await self._intake.look()
            self._recovered()
            if retry or self._intake.unmoved:
                soon = RETRY_SECONDS if retry else self._poll
                complete_at = min(complete_at, time.monotonic() + soon)
            # Mail that came in between was told in the answers to our own commands: IDLE would
            # not tell of it again. So it is waited only after a look that found nothing.
            if self._intake.taken == taken:
                await self._wait(min(self._poll, complete_at - time.monotonic()))

    async def _wait(self, seconds: float) -> None:
        if self._stopped.is_set():
            return
        self._waiting = True
        try:
            await self._intake.run(self._mailbox.wait, max(0.0, seconds))
        finally:
            self._waiting = False

    def _recovered(self) -> None:
        self._pause = FIRST_PAUSE
        if self._trouble.end():
            log.info("mailbox is read again")

    async def _rest(self, error: Exception) -> None:
        longest = REFUSED_PAUSE if isinstance(error, LoginRefused) else LONGEST_PAUSE
        await wait_at_most(self._stopped, min(self._pause, longest))
        self._pause = min(self._pause * 2, longest)
