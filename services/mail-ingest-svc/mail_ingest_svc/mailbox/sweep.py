"""Deletes the uploads that never became a mail: cut off, refused, or sent twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog

from deskwire.blobs import BlobError, Blobs, raw_folder
from deskwire.db import LOST_CONNECTION, Database
from deskwire.messaging.housekeeping import EVERY_SECONDS
from mail_ingest_svc.store import decisions

log = structlog.get_logger()

FIRST_DAYS, LAST_DAYS = 7, 3
"""Days back: no upload is handed in three days after it was stored, and a week of outage is made
up for."""


@asynccontextmanager
async def sweeping(database: Database, blobs: Blobs) -> AsyncIterator[None]:
    task = asyncio.create_task(_sweep_for_ever(database, blobs))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sweep_for_ever(database: Database, blobs: Blobs) -> None:
    while True:
        try:
            await sweep(database, blobs, datetime.now(UTC).date())
        except (BlobError, asyncpg.PostgresError, *LOST_CONNECTION) as error:
            log.warning("uploads not swept", cause=str(error) or repr(error))
        await asyncio.sleep(EVERY_SECONDS)


async def sweep(database: Database, blobs: Blobs, today: date) -> None:
    for days in range(LAST_DAYS, FIRST_DAYS + 1):
        async for raw_ids in blobs.listed(raw_folder(today - timedelta(days=days))):
            for row in await database.fetch(decisions.LOOSE, raw_ids=raw_ids):
                await blobs.delete(row["raw_id"])
