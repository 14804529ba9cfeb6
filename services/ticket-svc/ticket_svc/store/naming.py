"""Tickets that show what a record is called."""

from sqlalchemy import text

from deskwire.contracts.people import RecordRenamed
from deskwire.db import Session, compiled
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET

PAGE = 100

_SHOWING = {
    "client": "client_id = :id",
    "contact": "contact_id = :id",
    "agent": "assigned_to = :id",
    "asset": "asset_ids @> ARRAY[CAST(:id AS bigint)] AND asset_ids <> '{}'",  # as its index
}
_PAGES = {
    kind: compiled(
        text(f"""
        SELECT id FROM tickets
        WHERE {showing} AND id < coalesce(CAST(:before AS bigint), {2**63 - 1})
        ORDER BY id DESC LIMIT {PAGE}
        """)
    )
    for kind, showing in _SHOWING.items()
}

# Told anew, but not changed: `updated_at` stays.
RETELL = compiled(
    text(f"""
    WITH t AS (
        UPDATE tickets SET version = version + 1 WHERE id = ANY(CAST(:ids AS bigint[]))
        RETURNING *
    )
    SELECT {TICKET}, {OPENING} FROM t {JOINS} {OPENING_JOIN} ORDER BY t.id DESC
    """)
)


async def page(session: Session, renamed: RecordRenamed) -> list[int]:
    """The ids of a page, newest first."""
    statement = _PAGES[renamed.kind]
    rows = await session.fetch(statement, id=renamed.id, before=renamed.before_ticket)
    return [row["id"] for row in rows]
