"""Time worked on tickets: kept, read, and summed up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import asyncpg
from sqlalchemy import text

from deskwire.contracts.timekeeping import TimeEntry
from deskwire.db import Database, Statement, compiled
from gateway.readmodel.documents import keep, newest, text_of
from gateway.readmodel.tables.work import time_entries

KEEP_TIMES = newest(time_entries)

_GET = compiled(
    text("""
    SELECT version, doc FROM time_entries
    WHERE id = :id AND ticket_id = :ticket_id AND deleted_at IS NULL
    """)
)

# After a switch the next start may be told before the last stop.
_RUNNING = compiled(
    text("""
    SELECT doc FROM time_entries
    WHERE agent_id = :agent_id AND seconds IS NULL AND deleted_at IS NULL
    ORDER BY id DESC LIMIT 1
    """)
)

GroupBy = Literal["ticket", "agent", "client", "day"]

_KEYS: Mapping[GroupBy, str] = {
    "ticket": "ticket_id",
    "agent": "coalesce(agent_id, 0)",
    "client": "coalesce(client_id, 0)",
    "day": "CAST(started_at AT TIME ZONE :timezone AS date) - DATE '1970-01-01'",
}

_NAMES: Mapping[GroupBy, str] = {
    "ticket": "(SELECT reference FROM tickets WHERE id = key)",
    "agent": "(SELECT CAST(doc AS json) ->> 'name' FROM records WHERE kind = 'agent' AND id = key)",
    "client": (
        "(SELECT CAST(doc AS json) ->> 'name' FROM records WHERE kind = 'client' AND id = key)"
    ),
    "day": "CAST(DATE '1970-01-01' + CAST(key AS integer) AS text)",
}

_SUMS = """
    CAST(coalesce(sum(seconds), 0) AS bigint) AS seconds,
    CAST(coalesce(sum({billable}), 0) AS bigint) AS billable_seconds,
    CAST({count} AS bigint) AS entries
"""


NARROWED_BY = ("agent_ids", "client_ids", "billable", "invoiced")


@dataclass(frozen=True, slots=True)
class Report:
    """What is summed up: what began in the range, without timers that run. None: any."""

    group_by: GroupBy
    since: datetime
    until: datetime
    timezone: str = "UTC"
    agent_ids: Sequence[int] | None = None
    client_ids: Sequence[int] | None = None
    billable: bool | None = None
    invoiced: bool | None = None


@lru_cache(maxsize=64)
def _report(group_by: GroupBy, given: frozenset[str]) -> Statement:
    """One scan of what is asked for: its groups, one page of them, and the sum of them all."""
    conditions = {
        "agent_ids": "AND agent_id = ANY(CAST(:agent_ids AS bigint[]))",
        "client_ids": "AND client_id = ANY(CAST(:client_ids AS bigint[]))",
        "billable": "AND billable = :billable",
        "invoiced": "AND (invoice_id IS NOT NULL) = :invoiced",
    }
    groups = _SUMS.format(billable="CASE WHEN billable THEN seconds END", count="count(*)")
    total = _SUMS.format(billable="billable_seconds", count="coalesce(sum(entries), 0)")
    return compiled(
        text(f"""
        WITH groups AS (
            SELECT {_KEYS[group_by]} AS key, {groups} FROM time_entries
            WHERE started_at >= :since AND started_at < :until
              AND seconds IS NOT NULL AND deleted_at IS NULL
              {" ".join(conditions[name] for name in sorted(given))}
            GROUP BY 1
        ), total AS (
            SELECT {total} FROM groups
        ), page AS (
            SELECT * FROM groups WHERE key > CAST(:after AS bigint) ORDER BY key LIMIT :limit
        )
        SELECT page.*, {_NAMES[group_by]} AS name, total.seconds AS all_seconds,
               total.billable_seconds AS all_billable_seconds, total.entries AS all_entries
        FROM total LEFT JOIN page ON true ORDER BY key
        """)
    )


def time_row(time: TimeEntry) -> dict[str, Any]:
    return {
        "id": time.id,
        "ticket_id": time.ticket_id,
        "agent_id": time.agent and time.agent.id,
        "client_id": time.client and time.client.id,
        "started_at": time.started_at,
        "seconds": time.seconds,
        "billable": time.billable,
        "invoice_id": time.invoice_id,
        "deleted_at": time.deleted_at,
        "version": time.version,
        "doc": text_of(time),
    }


async def keep_times(database: Database, *times: TimeEntry) -> None:
    await keep(database, KEEP_TIMES, *map(time_row, times))


async def time_entry(database: Database, id: int, ticket_id: int) -> asyncpg.Record | None:
    return await database.fetch_one(_GET, id=id, ticket_id=ticket_id)


async def running_timer(database: Database, agent_id: int) -> str | None:
    """The document of what the agent's timer counts."""
    doc: str | None = await database.fetch_value(_RUNNING, agent_id=agent_id)
    return doc


def statement_of(asked: Report, *, after: int, limit: int) -> tuple[Statement, dict[str, Any]]:
    """The statement of a report, and its values."""
    filters = {name: getattr(asked, name) for name in NARROWED_BY}
    given = {name: value for name, value in filters.items() if value is not None}
    bounds = {"since": asked.since, "until": asked.until, "after": after, "limit": limit}
    statement = _report(asked.group_by, frozenset(given))
    return statement, given | bounds | {"timezone": asked.timezone}


async def report(
    database: Database, asked: Report, *, after: int, limit: int
) -> list[asyncpg.Record]:
    """Rows of key, name and sums, with the sums of all; if there are none, one without a key."""
    statement, values = statement_of(asked, after=after, limit=limit)
    return await database.fetch(statement, **values)
