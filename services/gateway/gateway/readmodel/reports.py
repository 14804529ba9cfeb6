"""Sums of tickets: what is open and since when, how fast they were answered, how many came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.db import Database, Statement, compiled
from gateway.readmodel.lookups import lookup

AGES = (1, 3, 7, 30)
"""Days at which the next older group begins."""

# What is open is looked at in the index of what is not closed alone.
OPEN = """
    SELECT width_bucket(CAST(extract(epoch FROM now() - created_at) / 86400 AS float8),
                        CAST(:ages AS float8[])) AS age,
           status, count(*) AS tickets, count(*) - count(assigned_to) AS unassigned
    FROM tickets WHERE status <> 'closed' {conditions}
    GROUP BY 1, 2
"""

FIRST_RESPONSE = """
    SELECT count(*) AS tickets, count(seconds) AS answered, avg(seconds) AS mean,
           percentile_disc(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY seconds) AS percentiles
    FROM (SELECT CAST(extract(epoch FROM first_response_at - created_at) AS bigint) AS seconds
          FROM tickets WHERE created_at >= :since AND created_at < :until {conditions}) AS taken
"""

VOLUME = """
    SELECT day, CAST(sum(opened) AS bigint) AS opened, CAST(sum(closed) AS bigint) AS closed
    FROM (SELECT CAST(created_at AT TIME ZONE :timezone AS date) AS day,
                 count(*) AS opened, 0 AS closed
          FROM tickets WHERE created_at >= :since AND created_at < :until {conditions} GROUP BY 1
          UNION ALL
          SELECT CAST(closed_at AT TIME ZONE :timezone AS date), 0, count(*)
          FROM tickets WHERE closed_at >= :since AND closed_at < :until {conditions} GROUP BY 1
    ) AS days
    GROUP BY day
"""

FEEDBACK = f"""
    SELECT count(*) AS closed,
           count(*) FILTER (WHERE lookups @> '{{{{{lookup("feedback", "good")}}}}}') AS good,
           count(*) FILTER (WHERE lookups @> '{{{{{lookup("feedback", "bad")}}}}}') AS bad
    FROM tickets WHERE closed_at >= :since AND closed_at < :until {{conditions}}
"""

_CONDITIONS = {
    "client_ids": "AND client_id = ANY(CAST(:client_ids AS bigint[]))",
    "agent_ids": "AND assigned_to = ANY(CAST(:agent_ids AS bigint[]))",
}


@dataclass(frozen=True, slots=True)
class Range:
    """``agent_ids``: whose they are now. None: any."""

    since: datetime
    until: datetime
    timezone: str = "UTC"
    agent_ids: Sequence[int] | None = None
    client_ids: Sequence[int] | None = None


@lru_cache(maxsize=16)
def _compiled(sql: str, given: frozenset[str]) -> Statement:
    conditions = " ".join(_CONDITIONS[name] for name in sorted(given))
    return compiled(text(sql.format(conditions=conditions)))


def statement_of(sql: str, asked: Range) -> tuple[Statement, dict[str, Any]]:
    """The statement of a report, and its values."""
    values = {name: getattr(asked, name) for name in _CONDITIONS}
    given = {name: value for name, value in values.items() if value is not None}
    bounds = {"since": asked.since, "until": asked.until, "timezone": asked.timezone, "ages": AGES}
    return _compiled(sql, frozenset(given)), given | bounds


async def still_open(database: Database, asked: Range) -> list[asyncpg.Record]:
    """Rows of age (how many of `AGES` it is beyond), status, tickets, unassigned."""
    statement, values = statement_of(OPEN, asked)
    return await database.fetch(statement, **values)


async def first_response(database: Database, asked: Range) -> asyncpg.Record:
    """Of the tickets of the range: tickets, answered; mean and percentiles, in seconds."""
    statement, values = statement_of(FIRST_RESPONSE, asked)
    (row,) = await database.fetch(statement, **values)
    return row


async def feedback(database: Database, asked: Range) -> asyncpg.Record:
    """Of the tickets closed in the range: closed, good, bad."""
    statement, values = statement_of(FEEDBACK, asked)
    (row,) = await database.fetch(statement, **values)
    return row


async def volume(database: Database, asked: Range) -> dict[date, asyncpg.Record]:
    """Rows of opened and closed, of the days with any."""
    statement, values = statement_of(VOLUME, asked)
    return {row["day"]: row for row in await database.fetch(statement, **values)}
