"""Deletes the blobs that are of no use: discarded ones, and those of writes that never were."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import asyncpg

from deskwire.blobs import Blobs, day_folder
from deskwire.db import Database
from deskwire.messaging.housekeeping import EVERY_SECONDS
from deskwire.repeating import for_ever, in_background
from ticket_svc.store import attachments

LATENCY = timedelta(days=3)
"""No command comes so long after its blobs were written: it expires with its caller's deadline."""


@asynccontextmanager
async def collecting(database: Database, blobs: Blobs) -> AsyncIterator[None]:
    async def collect() -> None:
        await delete_discarded(database, blobs)
        await sweep(database, blobs, datetime.now(UTC).date())

    async with in_background(for_ever("collector of blobs", collect, EVERY_SECONDS)):
        yield


async def delete_discarded(database: Database, blobs: Blobs) -> None:
    while rows := await database.fetch(attachments.DISCARDED):
        discarded = [row["blob_id"] for row in rows]
        await _delete_loose(database, blobs, discarded)
        await database.execute(attachments.DELETED, blob_ids=discarded)


async def sweep(database: Database, blobs: Blobs, today: date) -> None:
    """Look once through the blobs of each day that is past `LATENCY`, whatever there is of later
    ones. What came before this installation's first day is not looked for."""
    for day in await days_to_sweep(database, today):
        folder = day_folder(day)
        async for blob_ids in blobs.listed(folder):
            await _delete_loose(database, blobs, blob_ids)
        await blobs.remove_unfinished(folder)
        await database.execute(attachments.SET_SWEPT, day=day.toordinal())


async def due(database: Database, blobs: Blobs, today: date) -> dict[str, str]:
    """The blobs that are deleted next, at most the first of many; and why."""
    loose: list[asyncpg.Record] = []
    for day in await days_to_sweep(database, today):
        async for blob_ids in blobs.listed(day_folder(day)):
            loose += await database.fetch(attachments.LOOSE, blob_ids=blob_ids)
    reasons = {
        "its write never was": loose,
        "discarded": await database.fetch(attachments.DISCARDED),
        "uploaded and never used": await database.fetch(attachments.EXPIRED),
    }
    return {row["blob_id"]: why for why, rows in reasons.items() for row in rows}


async def days_to_sweep(database: Database, today: date) -> list[date]:
    last = (today - LATENCY).toordinal()
    swept = await database.fetch_value(attachments.SWEPT)
    first = last if swept is None else swept + 1
    return [date.fromordinal(day) for day in range(first, last + 1)]


async def _delete_loose(database: Database, blobs: Blobs, blob_ids: Sequence[str]) -> None:
    for row in await database.fetch(attachments.LOOSE, blob_ids=blob_ids):
        await blobs.delete(row["blob_id"])
