"""`deskwire blobs`: what ticket-svc is about to delete from the blob store."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from deskwire.cli.environment import blob_url, database_url, opened
from deskwire.cli.output import table
from deskwire.services import TICKET_SVC


def blobs() -> None:
    """What the next collection deletes from the blob store, and why."""
    table(("blob", "why"), asyncio.run(_due()).items())


async def _due() -> Any:
    from deskwire.blobs import open_blobs

    async with opened(TICKET_SVC, database_url(TICKET_SVC)) as database:
        store = open_blobs(blob_url())
        return await TICKET_SVC.module("collector").due(database, store, datetime.now(UTC).date())
