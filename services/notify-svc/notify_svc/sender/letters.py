"""Writes the letter of a claimed delivery: with its whole text, or all that a digest tells of."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog

from deskwire.blobs import Blobs
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from deskwire.db import Database
from deskwire.errors import NotFound
from notify_svc.domain.mails import CLIENT_TEMPLATES, Digest, Mail, Notice
from notify_svc.mime import File
from notify_svc.rendering.letter import CannotRender, Letter, Letterhead, render
from notify_svc.store import digests
from notify_svc.store.deliveries import Claimed

log = structlog.get_logger()

SHORT = 20_000
"""Characters of a delivery's context. What is longer would keep others from the loop in a row."""


class Writer:
    """``attached_bytes``: so much of its files is in a mail; the others are named."""

    def __init__(
        self, letterhead: Letterhead, blobs: Blobs, database: Database, *, attached_bytes: int
    ) -> None:
        self._letterhead = letterhead
        self._blobs = blobs
        self._database = database
        self._attached_bytes = attached_bytes
        self._drafts: dict[int, Letter] = {}

    def expect(self, claims: Sequence[Claimed]) -> None:
        """Writes what is short and needs nothing else. In a row each takes two thirds of the time
        that it takes between other work, since the processor has everything at hand."""
        for claimed in claims:
            if letter := self._draft(claimed):
                self._drafts[claimed.id] = letter

    async def letter(self, claimed: Claimed) -> Letter:
        """The same at every attempt. Raises `CannotRender`, or `BlobError` while blobs are away."""
        if draft := self._drafts.pop(claimed.id, None):
            return draft
        mail = claimed.mail
        if self._is_complete(mail):
            return self._written(claimed, mail)
        if isinstance(mail.notice, Notice):
            return await self._with_all_of_it(claimed, mail, mail.notice)
        items = await digests.items(self._database, claimed.id)
        return await self._in_thread(claimed, mail.saying(items=items))

    def _draft(self, claimed: Claimed) -> Letter | None:
        """What cannot be written is told when it is asked for."""
        if claimed.suppressed is not None or len(claimed.context) > SHORT:
            return None
        with suppress(CannotRender, ValueError):
            mail = claimed.mail
            return self._written(claimed, mail) if self._is_complete(mail) else None
        return None

    def _is_complete(self, mail: Mail) -> bool:
        """Nothing has to be read for it."""
        if not isinstance(mail.notice, Notice):
            return not isinstance(mail.notice, Digest)
        return mail.notice.body.blob_id is None and not self._fitting(mail, mail.notice)

    async def _with_all_of_it(self, claimed: Claimed, mail: Mail, notice: Notice) -> Letter:
        fitting = self._fitting(mail, notice)
        body = await self._whole(notice.body)
        files = [file for each in fitting if (file := await self._read(each))]
        left = tuple(each for each in notice.files if each not in fitting)
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
