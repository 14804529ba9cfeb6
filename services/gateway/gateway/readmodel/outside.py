"""Tickets and entries as a client sees them: without what the team worked, without counting its
notes, and without the tickets of others that a mail has named."""

from collections.abc import Sequence

import orjson
from sqlalchemy import text

from deskwire.db import Database, compiled

_SHOWN = compiled(
    text("""
    SELECT ticket_id, count(*) AS entries FROM entries
    WHERE ticket_id = ANY(CAST(:ids AS bigint[])) AND kind <> 'internal' GROUP BY ticket_id
    """)
)


async def tickets(database: Database, docs: Sequence[str]) -> list[str]:
    found = [orjson.loads(doc) for doc in docs]
    rows = await database.fetch(_SHOWN, ids=[ticket["id"] for ticket in found])
    entries = {row["ticket_id"]: row["entries"] for row in rows}
    hidden = {"time_worked": 0, "possibly_related": None}
    told = [ticket | hidden | {"entry_count": entries.get(ticket["id"], 0)} for ticket in found]
    return [orjson.dumps(ticket).decode() for ticket in told]


def entry(doc: str) -> str:
    return orjson.dumps(orjson.loads(doc) | {"time_worked": 0}).decode()
