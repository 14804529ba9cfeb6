"""`deskwire outbox`: what services have to say and RabbitMQ has not taken yet."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from deskwire.cli.app import App
from deskwire.cli.environment import Services, database_urls, opened
from deskwire.cli.keys import moment
from deskwire.cli.output import say, table

if TYPE_CHECKING:
    from deskwire.db import Database

app = App("Messages on their way to RabbitMQ.")

LIST = """
    SELECT message_id, type, aggregate, created_at FROM outbox
    WHERE published_at IS NULL ORDER BY id LIMIT :limit
"""
REPUBLISH = """
    WITH again AS (
        UPDATE outbox SET published_at = NULL WHERE published_at >= :since RETURNING 1)
    SELECT count(*) FROM again
"""


@app.command("list")
def list_(*, service: Services = None, limit: int = 20) -> None:
    """What is not published yet, the oldest first."""

    async def run() -> None:
        for each, url in database_urls(service).items():
            async with opened(each, url) as database:
                await _list(each.name, database, limit)

    asyncio.run(run())


@app.command("republish")
def republish(
    *,
    since: Annotated[str, typer.Option(metavar="TIME", help="ISO 8601; UTC without a zone.")],
    service: Services = None,
) -> None:
    """Publish again what was published since: after RabbitMQ has lost its data.

    Whoever has handled a message already does not handle it again.
    """

    start = moment(since)

    async def run() -> None:
        from sqlalchemy import text

        from deskwire.db import compiled

        for each, url in database_urls(service).items():
            async with opened(each, url) as database:
                count = await database.fetch_value(compiled(text(REPUBLISH)), since=start)
                say(f"{each.name}: {count} messages are published again")

    asyncio.run(run())


async def _list(name: str, database: "Database", limit: int) -> None:
    from sqlalchemy import text

    from deskwire.db import compiled
    from deskwire.messaging.outbox import BACKLOG

    backlog = await database.fetch_one(BACKLOG)
    if backlog is not None:
        say(f"{name}: {backlog['pending']} waiting, the oldest for {backlog['oldest']:.0f} s")
    rows = await database.fetch(compiled(text(LIST)), limit=limit)
    if rows:
        table(tuple(rows[0].keys()), (tuple(row.values()) for row in rows))
