"""Writes the letter of a claimed delivery: with its whole text, or all that a digest tells of."""

import asyncio

import structlog

from deskwire.blobs import BlobError, Blobs
from deskwire.contracts.mail import Body
from deskwire.db import Database
from deskwire.errors import NotFound
from notify_svc.domain.mails import Digest, Mail, Notice
from notify_svc.mail import Letter, Letterhead, render
from notify_svc.store import digests
from notify_svc.store.deliveries import Claimed

log = structlog.get_logger()


class Writer:
    def __init__(self, letterhead: Letterhead, blobs: Blobs, database: Database) -> None:
        self._letterhead = letterhead
        self._blobs = blobs
        self._database = database

    async def letter(self, claimed: Claimed) -> Letter:
        """The same at every attempt. Raises `CannotRender`."""
        mail = claimed.mail
        if isinstance(mail.notice, Digest):
            items = await digests.items(self._database, claimed.id)
            return await self._in_thread(claimed, mail.saying(items=items))
        if mail.notice.body.blob_id is None:
            return self._written(claimed, mail)
        return await self._in_thread(claimed, mail.saying(body=await self._whole(mail.notice)))

    async def _whole(self, notice: Notice) -> Body:
        body = notice.body
        try:
            return await self._blobs.unfold(body)
        except (NotFound, BlobError) as error:
            log.error("text of a mail is gone", blob=body.blob_id, cause=str(error))
            return Body(text=f"{body.text}\n\n[...]")

    async def _in_thread(self, claimed: Claimed, mail: Mail) -> Letter:
        """What is long would keep everybody else from the loop."""
        return await asyncio.to_thread(self._written, claimed, mail)

    def _written(self, claimed: Claimed, mail: Mail) -> Letter:
        return render(mail, self._letterhead, delivery=claimed.id, created_at=claimed.created_at)
