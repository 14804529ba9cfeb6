"""Pages by offset in the order of the ids, as ITFlow's clients ask for them.

``within`` is the client to which a list is confined; 0: what has no client; None: all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.db import Database, compiled

# One statement each, so that each is planned by its own index.
_OF_CLIENT: Mapping[str, str] = {
    "all": "true",
    "one": "client_id = :within",
    "none": "client_id IS NULL",
}

# The offset is walked in an index alone; only the rows of the page are read. Tickets are numbered
# in the order of their ids, and the index of a client's tickets is by number.
_TICKETS = {
    name: compiled(
        text(f"""
        SELECT blob_id, doc FROM tickets WHERE id IN (
            SELECT id FROM tickets WHERE {condition}
            ORDER BY {"id" if name == "all" else "number, id"} OFFSET :offset LIMIT :limit)
        ORDER BY id
        """)
    )
    for name, condition in _OF_CLIENT.items()
}

_REPLY_COLUMNS = "e.blob_id, e.doc, t.doc AS ticket"
_WANTED = """
    e.reply_id IS NOT NULL AND e.kind = ANY(CAST(:kinds AS text[]))
    AND (:redacted OR NOT e.redacted)
    AND (CAST(:within AS bigint) IS NULL OR coalesce(t.client_id, 0) = :within)
"""

_REPLY = compiled(
    text(f"""
    SELECT {_REPLY_COLUMNS} FROM entries e JOIN tickets t ON t.id = e.ticket_id
    WHERE e.id = :id AND {_WANTED}
    """)
)
_REPLIES_OF_TICKET = compiled(
    text(f"""
    SELECT {_REPLY_COLUMNS} FROM entries e JOIN tickets t ON t.id = e.ticket_id
    WHERE e.ticket_id = :id AND {_WANTED}
    ORDER BY e.id OFFSET :offset LIMIT :limit
    """)
)

# Each kind is walked in its index as far as the page reaches.
_REPLIES_OF_ALL = compiled(
    text(f"""
    SELECT {_REPLY_COLUMNS} FROM (
        SELECT r.reply_id FROM unnest(CAST(:kinds AS text[])) AS wanted (kind) CROSS JOIN LATERAL (
            SELECT reply_id FROM entries
            WHERE kind = wanted.kind AND reply_id IS NOT NULL AND (:redacted OR NOT redacted)
            ORDER BY reply_id LIMIT :upto) r
        ORDER BY r.reply_id OFFSET :offset LIMIT :limit) AS page
    JOIN entries e ON e.id = page.reply_id JOIN tickets t ON t.id = e.ticket_id
    ORDER BY e.id
    """)
)

# "+ 0": by way of the client's tickets, never along all entries in search of the client's.
_REPLIES = {"all": _REPLIES_OF_ALL} | {
    name: compiled(
        text(f"""
        SELECT {_REPLY_COLUMNS} FROM tickets t JOIN entries e ON e.ticket_id = t.id
        WHERE t.{condition} AND {_WANTED}
        ORDER BY e.id + 0 OFFSET :offset LIMIT :limit
        """)
    )
    for name, condition in _OF_CLIENT.items()
    if name != "all"
}

_RECORDS = {
    name: compiled(
        text(f"""
        SELECT doc FROM records
        WHERE kind = :kind AND {condition} AND (:archived OR NOT archived)
        ORDER BY id OFFSET :offset LIMIT :limit
        """)
    )
    for name, condition in _OF_CLIENT.items()
}

# "+ 0": by way of the look-ups, never along all records in search of one.
_RECORDS_BY_LOOKUP = {
    name: compiled(
        text(f"""
        SELECT doc FROM records
        WHERE kind = :kind AND lookups @> ARRAY[CAST(:lookup AS text)] AND {condition}
          AND (:archived OR NOT archived)
        ORDER BY id + 0 OFFSET :offset LIMIT :limit
        """)
    )
    for name, condition in _OF_CLIENT.items()
}


@dataclass(frozen=True, slots=True)
class Replies:
    """``redacted``: redacted ones too."""

    kinds: Sequence[str]
    redacted: bool
    within: int | None
    offset: int
    limit: int

    def values(self) -> dict[str, Any]:
        return asdict(self) | {"upto": self.offset + self.limit}


async def tickets(
    database: Database, within: int | None, offset: int, limit: int
) -> list[asyncpg.Record]:
    statement = _TICKETS[_confined(within)]
    return await database.fetch(statement, within=within, offset=offset, limit=limit)


async def reply(database: Database, id: int, wanted: Replies) -> list[asyncpg.Record]:
    """None or one."""
    return await database.fetch(_REPLY, id=id, **wanted.values())


async def replies_of_ticket(database: Database, id: int, wanted: Replies) -> list[asyncpg.Record]:
    return await database.fetch(_REPLIES_OF_TICKET, id=id, **wanted.values())


async def replies(database: Database, wanted: Replies) -> list[asyncpg.Record]:
    return await database.fetch(_REPLIES[_confined(wanted.within)], **wanted.values())


@dataclass(frozen=True, slots=True)
class Records:
    """``archived``: archived ones too."""

    kind: str
    archived: bool
    within: int | None
    offset: int
    limit: int


async def records(database: Database, wanted: Records) -> list[asyncpg.Record]:
    return await database.fetch(_RECORDS[_confined(wanted.within)], **asdict(wanted))


async def records_by_lookup(
    database: Database, lookup: str, wanted: Records
) -> list[asyncpg.Record]:
    statement = _RECORDS_BY_LOOKUP[_confined(wanted.within)]
    return await database.fetch(statement, lookup=lookup, **asdict(wanted))


def _confined(within: int | None) -> str:
    return "all" if within is None else "one" if within else "none"
