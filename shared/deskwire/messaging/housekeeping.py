"""Removes what is needed no longer, a little at a time."""

from collections.abc import Sequence

from sqlalchemy import text

from deskwire.db import Database, Statement, compiled

EVERY_SECONDS = 600.0
ROWS = 5_000

OUTBOX_DAYS = 7
"""Published events can be published again for so long."""

INBOX_DAYS = 30
"""Longer than any message may be on its way, replays by an operator included."""

TIDY_OUTBOX = compiled(
    text(f"""
    DELETE FROM outbox WHERE id IN (
        SELECT id FROM outbox WHERE published_at < now() - interval '{OUTBOX_DAYS} days'
        ORDER BY published_at LIMIT {ROWS} FOR UPDATE SKIP LOCKED)
    RETURNING id
    """)
)

TIDY_INBOX = compiled(
    text(f"""
    DELETE FROM inbox WHERE (consumer, message_id) IN (
        SELECT consumer, message_id FROM inbox
        WHERE handled_at < now() - interval '{INBOX_DAYS} days'
        ORDER BY handled_at LIMIT {ROWS} FOR UPDATE SKIP LOCKED)
    RETURNING message_id
    """)
)


async def tidy(database: Database, own: Sequence[Statement] = ()) -> None:
    """All that is old, in short transactions; a statement of a service's ``own`` removes at most
    `ROWS` too, and returns a row for each."""
    for statement in (TIDY_OUTBOX, TIDY_INBOX, *own):
        removed = ROWS
        while removed == ROWS:
            removed = len(await database.fetch(statement))
