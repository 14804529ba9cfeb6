"""What happened to tickets, in an order that nobody who reads on from a place misses anything of.

Transactions commit in another order than they begin in. So a change is placed by its transaction
and shown when every older transaction has ended: nothing can appear behind a place already read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import text

from deskwire.contracts.entries import Entry
from deskwire.contracts.tickets import EntryChanged, TicketEvent
from deskwire.db import Database, compiled
from deskwire.messaging.housekeeping import ROWS

PAGE = 200
KEPT_HOURS = 24

KEEP_CHANGES = compiled(
    text("""
    INSERT INTO changes (type, ticket_id, entry_id, internal)
    SELECT * FROM unnest(
        CAST(:change_type AS text[]), CAST(:change_ticket AS bigint[]),
        CAST(:change_entry AS bigint[]), CAST(:change_internal AS boolean[]))
    """)
)

# The numbers of transactions. None that is younger than the oldest running one is settled, though
# it may have committed already.
_OLDEST_RUNNING = "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"
_NEXT = "CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint)"

# Rows of the future are those of a database that was restored into a younger server.
_READ = compiled(
    text(f"""
    SELECT c.xid, c.id, c.type, c.ticket_id, c.entry_id,
           c.internal, c.xid < {_OLDEST_RUNNING} AS settled, t.client_id, t.doc
    FROM (SELECT * FROM changes
          WHERE (xid, id) > (CAST(:xid AS bigint), CAST(:id AS bigint))
            AND xid < {_NEXT}
          ORDER BY xid, id LIMIT {PAGE}) c
    LEFT JOIN tickets t ON t.id = c.ticket_id
        AND (CAST(:within AS bigint) IS NULL OR t.client_id = :within AND NOT c.internal)
        AND (CAST(:clients AS bigint[]) IS NULL OR t.client_id = ANY(:clients))
        AND (CAST(:tickets AS bigint[]) IS NULL OR t.id = ANY(:tickets))
    ORDER BY c.xid, c.id
    """)
)

_NOW = compiled(text(f"SELECT {_OLDEST_RUNNING}"))

# Of what is removed the last row stays: what lies before the first row is lost if that one is old.
_RESUMABLE = compiled(
    text(f"""
    SELECT CAST(:xid AS bigint) <= {_NEXT}
       AND NOT EXISTS (
           SELECT FROM (SELECT xid, id, at FROM changes ORDER BY xid, id LIMIT 1) AS oldest
           WHERE at < now() - interval '{KEPT_HOURS} hours'
             AND (xid, id) > (CAST(:xid AS bigint), CAST(:id AS bigint)))
    """)
)

TIDY_CHANGES = compiled(
    text(f"""
    DELETE FROM changes USING (
        SELECT xid, id, lead(id) OVER (ORDER BY xid, id) IS NULL AS last
        FROM (SELECT xid, id, at FROM changes ORDER BY xid, id LIMIT {ROWS + 1}) AS oldest
        WHERE at < now() - interval '{KEPT_HOURS} hours') AS old
    WHERE changes.xid = old.xid AND changes.id = old.id AND NOT old.last
    RETURNING changes.id
    """)
)
TIDY_FUTURE = compiled(
    text(f"""
    DELETE FROM changes WHERE (xid, id) IN (
        SELECT xid, id FROM changes WHERE xid >= {_NEXT}
        LIMIT {ROWS})
    RETURNING id
    """)
)

_PLACE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")


class Place(NamedTuple):
    """A place in the order of all changes."""

    xid: int
    id: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        found = _PLACE.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True)
class Change:
    """``doc`` is the ticket as it was stored when the change was read, of the ``client_id``."""

    place: Place
    type: str
    ticket_id: int
    entry_id: int | None
    internal: bool
    client_id: int | None
    doc: str

    @cached_property
    def data(self) -> str:
        """One line of JSON, made once for all who listen."""
        return self.with_ticket(self.doc)

    def with_ticket(self, doc: str) -> str:
        entry = "null" if self.entry_id is None else self.entry_id
        return f'{{"type":"{self.type}","ticket":{doc},"entry_id":{entry}}}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """``within`` is the only client that is seen, without what is internal; None: all of them."""

    within: int | None = None
    clients: Sequence[int] | None = None
    tickets: Sequence[int] | None = None

    def has(self, change: Change) -> bool:
        if self.within is not None and (change.internal or change.client_id != self.within):
            return False
        if self.clients is not None and change.client_id not in self.clients:
            return False
        return self.tickets is None or change.ticket_id in self.tickets


ALL = Wanted()


@dataclass(frozen=True, slots=True)
class Page:
    """``waiting``: there are changes that older transactions still keep back."""

    changes: Sequence[Change]
    upto: Place
    more: bool
    waiting: bool


def change_row(
    event: TicketEvent | EntryChanged, ticket_id: int, entry: Entry | None = None
) -> dict[str, Any]:
    return {
        "change_type": event.wire_name.rpartition(".")[0],
        "change_ticket": ticket_id,
        "change_entry": entry and entry.id,
        "change_internal": entry is not None and entry.kind == "internal",
    }


async def read(database: Database, after: Place, wanted: Wanted = ALL) -> Page:
    """The next changes after the place; few rows are looked at, whatever is wanted of them."""
    rows = await database.fetch(
        _READ,
        xid=after.xid,
        id=after.id,
        within=wanted.within,
        clients=wanted.clients,
        tickets=wanted.tickets,
    )
    settled = [row for row in rows if row["settled"]]
    upto = Place(settled[-1]["xid"], settled[-1]["id"]) if settled else after
    changes = [_change(row) for row in settled if row["doc"] is not None]
    return Page(changes, upto, more=len(settled) == PAGE, waiting=len(settled) < len(rows))


def _change(row: Any) -> Change:
    place = Place(row["xid"], row["id"])
    told = (row["type"], row["ticket_id"], row["entry_id"], row["internal"])
    return Change(place, *told, row["client_id"], row["doc"])


async def now(database: Database) -> Place:
    """Behind all that can be read, before all that will be."""
    return Place(await database.fetch_value(_NOW), 0)


async def resumable(database: Database, place: Place) -> bool:
    """Whether nothing after the place was removed, and the place is one of this database."""
    return bool(await database.fetch_value(_RESUMABLE, xid=place.xid, id=place.id))
