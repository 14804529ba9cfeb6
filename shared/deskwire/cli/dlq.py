"""`deskwire dlq`: messages that failed, wait for their next attempt or were given up."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from deskwire.cli.app import App
from deskwire.cli.environment import Services, database_urls, opened
from deskwire.cli.output import say, table
from deskwire.errors import NotFound

if TYPE_CHECKING:
    import asyncpg

app = App("Dead letters: messages that failed.")

Ids = Annotated[list[UUID], typer.Argument(metavar="MESSAGE_ID...")]

LIST = """
    SELECT consumer, message_id, type, attempts, error, failed_at, retry_at
    FROM dead_letters WHERE (retry_at IS NULL) = :parked ORDER BY failed_at DESC LIMIT :limit
"""
SHOW = "SELECT * FROM dead_letters WHERE message_id = ANY(CAST(:ids AS uuid[]))"
REPLAY = """
    UPDATE dead_letters SET retry_at = now(), attempts = 0
    WHERE message_id = ANY(CAST(:ids AS uuid[])) RETURNING consumer, message_id
"""
REPLAY_PARKED = """
    UPDATE dead_letters SET retry_at = now(), attempts = 0
    WHERE retry_at IS NULL RETURNING consumer, message_id
"""
DISCARD = """
    DELETE FROM dead_letters
    WHERE message_id = ANY(CAST(:ids AS uuid[])) RETURNING consumer, message_id
"""


@app.command("list")
def list_(*, service: Services = None, limit: int = 50) -> None:
    """The newest: those given up, and those that are tried again by themselves."""
    columns = ("consumer", "message_id", "type", "attempts", "failed_at", "retry_at", "error")
    for state, parked in (("parked", True), ("retrying", False)):
        rows = _everywhere(LIST, service, parked=parked, limit=limit)
        say(f"{state}: {len(rows)}")
        if rows:
            table(columns, ([row[column] for column in columns] for row in rows))


@app.command("show")
def show(ids: Ids, *, service: Services = None) -> None:
    """All that is known of a message, with its body."""
    for row in _found(_everywhere(SHOW, service, ids=ids)):
        for name, value in row.items():
            if name != "body":
                say(f"{name}: {value}")
        say(_readable(row["body"]))


@app.command("replay")
def replay(
    ids: Annotated[list[UUID] | None, typer.Argument(metavar="MESSAGE_ID...")] = None,
    *,
    parked: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
    service: Services = None,
) -> None:
    """Try again now, under the same id: what was done already is not done twice."""
    if parked:
        rows = _everywhere(REPLAY_PARKED, service)
    else:
        rows = _everywhere(REPLAY, service, ids=ids or [])
    for row in _found(rows):
        say("replayed", row["message_id"], "at", row["consumer"])


@app.command("discard")
def discard(ids: Ids, *, service: Services = None) -> None:
    """Forget them for ever."""
    for row in _found(_everywhere(DISCARD, service, ids=ids)):
        say("discarded", row["message_id"], "at", row["consumer"])


def _everywhere(sql: str, names: list[str] | None, **values: Any) -> "list[asyncpg.Record]":
    """Run in the database of each service."""
    from sqlalchemy import text

    from deskwire.db import compiled

    async def run() -> "list[asyncpg.Record]":
        rows = []
        for service, url in database_urls(names).items():
            async with opened(service, url) as database:
                rows += await database.fetch(compiled(text(sql)), **values)
        return rows

    return asyncio.run(run())


def _found(rows: "list[asyncpg.Record]") -> "list[asyncpg.Record]":
    if not rows:
        raise NotFound("there is no such dead letter: see `deskwire dlq list`")
    return rows


def _readable(body: bytes) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return repr(body)
