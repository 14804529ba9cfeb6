"""Deletes mails as they came: uploads that never became a mail, being cut off, refused, or sent
twice; and those that were kept for as long as they are to be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

from deskwire.blobs import Blobs, raw_folder
from deskwire.db import Database
from deskwire.messaging.housekeeping import EVERY_SECONDS
from deskwire.messaging.outbox import Outbox
from deskwire.repeating import for_ever, in_background
from mail_ingest_svc.store import decisions, retention
from mail_ingest_svc.store.documents import changed

FIRST_DAYS, LAST_DAYS = 7, 3
"""Days back: no upload is handed in three days after it was stored, and a week of outage is made
up for."""


@asynccontextmanager
async def sweeping(outbox: Outbox, blobs: Blobs, *, raw_days: int | None) -> AsyncIterator[None]:
    async def step() -> None:
        await sweep(outbox.database, blobs, datetime.now(UTC).date())
        if raw_days is not None:
            await expire(outbox, raw_days)
        await delete_discarded(outbox.database, blobs)

    async with in_background(for_ever("sweep of raw mails", step, EVERY_SECONDS)):
        yield


async def sweep(database: Database, blobs: Blobs, today: date) -> None:
    for days in range(LAST_DAYS, FIRST_DAYS + 1):
        async for raw_ids in blobs.listed(raw_folder(today - timedelta(days=days))):
            for row in await database.fetch(decisions.LOOSE, raw_ids=raw_ids):
                await blobs.delete(row["raw_id"])


async def expire(outbox: Outbox, days: int) -> None:
    """Let go of mails that were settled before so many days; their rows say so."""
    expired = retention.ROWS
    while expired == retention.ROWS:
        async with outbox.transaction() as tx:
            rows = await tx.fetch(retention.EXPIRE, days=days)
            for row in rows:
                tx.emit(changed(row))
        expired = len(rows)


async def delete_discarded(database: Database, blobs: Blobs) -> None:
    while rows := await database.fetch(retention.DISCARDED):
        for row in rows:
            if not row["used"]:
                await blobs.delete(row["blob_id"])
        await database.execute(retention.DELETED, blob_ids=[row["blob_id"] for row in rows])
