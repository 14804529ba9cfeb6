"""Tickets that change without an entry: locked, changed, counted anew."""

from collections.abc import Collection
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.db import Session, Statement, compiled
from deskwire.errors import NotFound
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET
from ticket_svc.store.settings import IN_FORCE_JOIN, TOLD

# In the order of their ids, so that two who lock the same ones wait instead of deadlocking. What
# they say is read after, by a statement that sees what those did who were waited for.
LOCK = compiled(
    text("""
    SELECT id FROM tickets WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE
    """)
)

READ = compiled(
    text(f"""
    SELECT {TICKET}, {OPENING}, op.id AS opening_id, t.unwatched, {TOLD}
    FROM tickets t {JOINS} {OPENING_JOIN} {IN_FORCE_JOIN}
    WHERE t.id = ANY(CAST(:ids AS bigint[]))
      AND (CAST(:within_client AS bigint) IS NULL OR t.client_id = :within_client)
    """)
)

TIME_WORKED = """
    (SELECT coalesce(sum(seconds), 0) FROM time_entries
     WHERE ticket_id = t.id AND deleted_at IS NULL)
"""

INVOICE_IDS = """
    ARRAY(SELECT DISTINCT it.invoice_id FROM time_entries te
          JOIN invoiced_time it ON it.time_entry_id = te.id AND it.freed_at IS NULL
          WHERE te.ticket_id = t.id ORDER BY 1)
"""

# What is shown on a ticket decides its counts; an opening is no reply, and what was said before a
# ticket was there does not answer it. One on which nothing is shown keeps when it was answered.
RECOUNT = compiled(
    text(f"""
    UPDATE tickets t SET
        entry_count = (SELECT count(*) FROM entries WHERE ticket_id = t.id),
        time_worked = {TIME_WORKED},
        invoice_ids = {INVOICE_IDS},
        first_response_at = CASE
            WHEN EXISTS (SELECT FROM entries WHERE ticket_id = t.id) THEN (
                SELECT min(created_at) FROM entries
                WHERE ticket_id = t.id AND kind = 'public' AND NOT opening
                  AND created_at >= t.created_at)
            ELSE t.first_response_at END,
        last_reply_at = last.created_at,
        last_reply_kind = last.kind,
        last_reply_by = CAST(last.author AS json) ->> 'name'
    FROM tickets self LEFT JOIN LATERAL (
        SELECT created_at, kind, author FROM entries
        WHERE ticket_id = self.id AND kind <> 'internal' AND NOT opening
        ORDER BY id DESC LIMIT 1
    ) last ON true
    WHERE t.id = ANY(CAST(:ids AS bigint[])) AND self.id = t.id
    """)
)

# A statement of its own: it sees what those did who had the ticket locked before.
RETIME = compiled(
    text(f"""
    WITH t AS (
        UPDATE tickets t SET time_worked = {TIME_WORKED}, updated_at = now(), version = version + 1
        WHERE id = :id RETURNING *
    )
    SELECT {TICKET}, {OPENING} FROM t {JOINS} {OPENING_JOIN}
    """)
)

COLUMNS = {
    "subject": "text",
    "status": "text",
    "priority": "text",
    "category": "text",
    "client_id": "bigint",
    "contact_id": "bigint",
    "assigned_to": "bigint",
    "asset_ids": "bigint[]",
    "watchers": "text[]",
    "unwatched": "text[]",
    "tags": "text[]",
    "billable": "boolean",
    "due_at": "timestamptz",
    "closed_at": "timestamptz",
    "closed_by": "text",
    "merged_into": "bigint",
    "merged_from": "bigint[]",
    "feedback": "text",
    "quotable": "boolean",
}
"""What can be set, with its type."""


@lru_cache(maxsize=256)
def _update(columns: tuple[str, ...]) -> Statement:
    assignments = "".join(f"{name} = CAST(:{name} AS {COLUMNS[name]}), " for name in columns)
    return compiled(
        text(f"""
        WITH t AS (
            UPDATE tickets SET {assignments} updated_at = now(), version = version + 1
            WHERE id = :id RETURNING *
        )
        SELECT {TICKET}, {OPENING} FROM t {JOINS} {OPENING_JOIN}
        """)
    )


async def update(session: Session, id: int, values: dict[str, Any]) -> asyncpg.Record:
    """Set the values; the ticket's row as it is then."""
    return await session.fetch_row(_update(tuple(sorted(values))), id=id, **values)


async def lock(
    session: Session, ids: Collection[int], within_client: int | None = None
) -> dict[int, asyncpg.Record]:
    """By id, the tickets that there are within the client, while nobody else changes them."""
    await session.execute(LOCK, ids=sorted(ids))
    rows = await session.fetch(READ, ids=list(ids), within_client=within_client)
    return {row["id"]: row for row in rows}


async def lock_one(session: Session, id: int, within_client: int | None = None) -> asyncpg.Record:
    """As `lock`. Raises `NotFound`."""
    row = (await lock(session, [id], within_client)).get(id)
    if row is None:
        raise NotFound(f"there is no ticket {id}")
    return row


async def lock_shown(session: Session, id: int, within_client: int | None = None) -> asyncpg.Record:
    """The ticket on which what is told of this one is shown, locked. Raises `NotFound`."""
    at = id
    while row := (await lock(session, [at], within_client)).get(at):
        if row["merged_into"] is None:
            return row
        at = row["merged_into"]
    raise NotFound(f"there is no ticket {id}")
