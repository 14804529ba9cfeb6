"""Tickets and entries as a client sees them: without what the team worked, without counting its
notes, without the tickets of others that a mail has named, and without drafts of invoices."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import text

from deskwire.db import Database, compiled

_SHOWN = compiled(
    text("""
    SELECT ticket_id, count(*) AS entries FROM entries
    WHERE ticket_id = ANY(CAST(:ids AS bigint[])) AND kind <> 'internal' GROUP BY ticket_id
    """)
)

_ISSUED = compiled(
    text("SELECT id FROM invoices WHERE id = ANY(CAST(:ids AS bigint[])) AND issued")
)


async def tickets(database: Database, docs: Sequence[str]) -> list[str]:
    found = [orjson.loads(doc) for doc in docs]
    rows = await database.fetch(_SHOWN, ids=[ticket["id"] for ticket in found])
    entries = {row["ticket_id"]: row["entries"] for row in rows}
    issued = await _issued(database, found)
    for ticket in found:
        ticket |= {
            "time_worked": 0,
            "possibly_related": None,
            "entry_count": entries.get(ticket["id"], 0),
            "invoice_ids": [id for id in ticket.get("invoice_ids", ()) if id in issued],
        }
    return [orjson.dumps(ticket).decode() for ticket in found]


async def _issued(database: Database, tickets: Sequence[Any]) -> set[int]:
    ids = [id for ticket in tickets for id in ticket.get("invoice_ids", ())]
    return {row["id"] for row in await database.fetch(_ISSUED, ids=ids)} if ids else set()


def entry(doc: str) -> str:
    return orjson.dumps(orjson.loads(doc) | {"time_worked": 0}).decode()
