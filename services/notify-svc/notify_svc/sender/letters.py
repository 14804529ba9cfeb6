"""Writes the letter of a claimed delivery: with its whole text, or all that a digest tells of."""

import asyncio
from collections.abc import Sequence

import structlog

from deskwire.blobs import Blobs
from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import StoredFile
from deskwire.db import Database
from deskwire.errors import NotFound
from notify_svc.domain.mails import CLIENT_TEMPLATES, Digest, Mail, Notice
from notify_svc.mime import File
from notify_svc.rendering.letter import Letter, Letterhead, render
from notify_svc.store import digests
from notify_svc.store.deliveries import Claimed

log = structlog.get_logger()


class Writer:
    """``attached_bytes``: so much of its files is in a mail; the others are named."""

    def __init__(
        self, letterhead: Letterhead, blobs: Blobs, database: Database, *, attached_bytes: int
    ) -> None:
        self._letterhead = letterhead
        self._blobs = blobs
        self._database = database
        self._attached_bytes = attached_bytes

    async def letter(self, claimed: Claimed) -> Letter:
        """The same at every attempt. Raises `CannotRender`, or `BlobError` while blobs are away."""
        mail = claimed.mail
        if isinstance(mail.notice, Digest):
            items = await digests.items(self._database, claimed.id)
            return await self._in_thread(claimed, mail.saying(items=items))
        if not isinstance(mail.notice, Notice):
            return self._written(claimed, mail)
        fitting = self._fitting(mail, mail.notice)
        if mail.notice.body.blob_id is None and not fitting:
            return self._written(claimed, mail)
        body = await self._whole(mail.notice.body)
        files = [file for each in fitting if (file := await self._read(each))]
        left = tuple(each for each in mail.notice.files if each not in fitting)
        return await self._in_thread(claimed, mail.saying(body=body, files=left), files)

    def _fitting(self, mail: Mail, notice: Notice) -> list[StoredFile]:
        """What goes along, in its order, to the client's people: they have no other way to it."""
        room, found = self._attached_bytes, []
        for file in notice.files if mail.template in CLIENT_TEMPLATES else ():
            if file.size <= room:
                found.append(file)
                room -= file.size
        return found

    async def _read(self, file: StoredFile) -> File | None:
        try:
            return File(file.name, file.type, await self._blobs.get(file.blob_id))
        except NotFound:
            log.warning("file of a mail is gone", file=file.id)
            return None

    async def _whole(self, body: Body) -> Body:
        try:
            return await self._blobs.unfold(body)
        except NotFound:
            log.warning("text of a mail is gone", blob=body.blob_id)
            return Body(text=f"{body.text}\n\n[...]")

    async def _in_thread(self, claimed: Claimed, mail: Mail, files: Sequence[File] = ()) -> Letter:
        """What is long would keep everybody else from the loop."""
        return await asyncio.to_thread(self._written, claimed, mail, files)

    def _written(self, claimed: Claimed, mail: Mail, files: Sequence[File] = ()) -> Letter:
        return render(
            mail,
            self._letterhead,
            delivery=claimed.id,
            created_at=claimed.created_at,
            files=files,
        )
