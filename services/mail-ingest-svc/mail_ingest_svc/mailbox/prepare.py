"""From the bytes of a mail to what is written of it: blobs, a ledger row, an event."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from deskwire.blobs import Blobs, mail_place, raw_place
from deskwire.contracts.mail import Attachment, Body, MailReceived
from mail_ingest_svc.domain import Listed, body_of, content_digest, mail_received, oversize_notice
from mail_ingest_svc.mailbox.faults import fault_of_the_mail
from mail_ingest_svc.mailbox.parsers import ParserDied, Parsers
from mail_ingest_svc.mailbox.port import NotFetched
from mail_ingest_svc.parse import ParsedAttachment, ParsedMail


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to take in; ``raw_id``: where it is in the blobs already."""

    id: int
    mail: Listed
    mailbox: str
    raw_id: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that the ledger row and the event say; its blobs are stored."""

    claimed: Claimed
    row: dict[str, Any]
    event: MailReceived


@dataclass(frozen=True, slots=True)
class Unprepared:
    """What is wrong with a mail; ``raw_id`` is what was kept of it."""

    error: Exception
    raw_id: str | None = None


@dataclass(frozen=True, slots=True)
class Read:
    parsed: ParsedMail
    digest: str
    reason: str = ""


Contents = Mapping[Claimed, bytes | NotFetched]
Outcome = Prepared | Unprepared


class Preparing:
    """Of mails over ``limit`` bytes only the headers are given to it."""

    def __init__(self, blobs: Blobs, parsers: Parsers, *, limit: int) -> None:
        self._blobs = blobs
        self._parsers = parsers
        self._limit = limit

    async def all(self, contents: Contents) -> dict[Claimed, Outcome]:
        """Each mail, or what is wrong with it; raises only what is no mail's fault."""
        read, raw_ids = await asyncio.gather(self._read(contents), self._keep(contents))
        files = await self._files(read)
        work = (self._finish(each, raw_ids.get(each), read[each], files[each]) for each in read)
        return dict(zip(read, await asyncio.gather(*work), strict=True))

    async def _read(self, contents: Contents) -> dict[Claimed, Read | Exception]:
        digests = await asyncio.to_thread(_digests, contents)
        raws = {
            each: raw
            for each, raw in contents.items()
            if isinstance(raw, bytes) and isinstance(digests[each], str)
        }
        parsed = dict(zip(raws, await self._parsers.parse_all(list(raws.values())), strict=True))
        return {each: self._one_read(each, digest, parsed) for each, digest in digests.items()}

    def _one_read(
        self,
        claimed: Claimed,
        digest: str | Exception,
        all_parsed: Mapping[Claimed, ParsedMail | ParserDied],
    ) -> Read | Exception:
        if isinstance(digest, Exception):
            return digest
        parsed, size = all_parsed[claimed], claimed.mail.size
        if isinstance(parsed, ParserDied):
            return parsed
        if size > self._limit:
            return _oversize(parsed, digest, size, self._limit)
        return Read(parsed, digest)

    async def _keep(self, contents: Contents) -> dict[Claimed, str]:
        kept = {each: each.raw_id for each in contents if each.raw_id is not None}
        raws = {
            each: raw
            for each, raw in contents.items()
            if isinstance(raw, bytes) and each not in kept
        }
        raw_ids = await self._blobs.put_all(
            [(raw, raw_place(each.id)) for each, raw in raws.items()]
        )
        return kept | dict(zip(raws, raw_ids, strict=True))

    async def _files(
        self, read: Mapping[Claimed, Read | Exception]
    ) -> Mapping[Claimed, Sequence[Attachment]]:
        """The attachments of each, all stored in one go."""
        parts = [
            (each, part)
            for each, mail in read.items()
            if isinstance(mail, Read)
            for part in mail.parsed.attachments
        ]
        contents = [(part.content, mail_place(each.id)) for each, part in parts]
        files = defaultdict[Claimed, list[Attachment]](list)
        for (each, part), blob_id in zip(parts, await self._blobs.put_all(contents), strict=True):
            files[each].append(_attachment(part, blob_id))
        return files

    async def _finish(
        self,
        claimed: Claimed,
        raw_id: str | None,
        read: Read | Exception,
        files: Sequence[Attachment],
    ) -> Outcome:
        if isinstance(read, Exception):
            return Unprepared(read, raw_id)
        try:
            return await self._prepared(claimed, raw_id, read, files)
        except Exception as error:
            if not fault_of_the_mail(error):
                raise
            return Unprepared(error, raw_id)

    async def _prepared(
        self, claimed: Claimed, raw_id: str | None, read: Read, files: Sequence[Attachment]
    ) -> Prepared:
        parsed = read.parsed
        body = await self._blobs.fold(body_of(parsed), mail_place(claimed.id))
        now = datetime.now(UTC)
        event = mail_received(claimed.id, claimed.mailbox, parsed, body, files, received_at=now)
        row = {
            "id": claimed.id,
            "sha256": read.digest,
            "raw_id": raw_id,
            "message_id": event.message_id,
            "sender": event.sender.email if event.sender else None,
            "subject": event.subject,
            "reason": read.reason,
            "parts": _parts(body, files),
        }
        return Prepared(claimed, row, event)


def _attachment(part: ParsedAttachment, blob_id: str) -> Attachment:
    return Attachment(
        blob_id=blob_id,
        name=part.name,
        type=part.type,
        size=len(part.content),
        sha256=blob_id.rpartition("-")[2],
        content_id=part.content_id,
        inline=part.inline,
    )


def _parts(body: Body, attachments: Sequence[Attachment]) -> str | None:
    found = [body.blob_id, *(each.blob_id for each in attachments)]
    return json.dumps([each for each in found if each]) if any(found) else None


def _digests(contents: Contents) -> dict[Claimed, str | Exception]:
    """In one go: a thread for each mail costs more than most mails do."""
    return {claimed: _digest(content) for claimed, content in contents.items()}


def _digest(content: bytes | NotFetched) -> str | Exception:
    if isinstance(content, Exception):
        return content
    try:
        return content_digest(content)
    except Exception as error:
        return error


def _oversize(parsed: ParsedMail, digest: str, size: int, limit: int) -> Read:
    text = oversize_notice(size, limit)
    notice = replace(parsed, text=text, html=None, reply=None, attachments=())
    return Read(notice, sha256(f"{size} {digest}".encode()).hexdigest(), "oversize")
