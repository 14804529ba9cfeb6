"""Keeping tickets and entries, as all documents are: by the projector, and by a write before it is
answered. The newest wins.

Each statement takes one array per column, whatever order and however often a document comes in it.
A document that is there already, in this version or a later one, costs a look and no write.
"""

from typing import Any

import orjson
from sqlalchemy import text

from deskwire.contracts.entries import Entry
from deskwire.contracts.ticket_commands import TicketEntry
from deskwire.contracts.tickets import Ticket
from deskwire.contracts.timekeeping import KeptTime
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, shown
from gateway.readmodel.lookups import lookups
from gateway.readmodel.timekeeping import keep_times

_TICKETS = """
    INSERT INTO tickets AS target (
        id, number, reference, status, priority, client_id, assigned_to, source, created_at,
        updated_at, due_at, first_response_at, closed_at, version, blob_id, doc, lookups)
    SELECT DISTINCT ON (id) id, number, reference, status, priority, client_id, assigned_to, source,
        created_at, updated_at, due_at, first_response_at, closed_at, version, blob_id, doc,
        string_to_array(lookups, E'\\n')
    FROM {rows}
        CAST(:id AS bigint{s}), CAST(:number AS bigint{s}), CAST(:reference AS text{s}),
        CAST(:status AS text{s}), CAST(:priority AS text{s}), CAST(:client_id AS bigint{s}),
        CAST(:assigned_to AS bigint{s}), CAST(:source AS text{s}),
        CAST(:created_at AS timestamptz{s}), CAST(:updated_at AS timestamptz{s}),
        CAST(:due_at AS timestamptz{s}), CAST(:first_response_at AS timestamptz{s}),
        CAST(:closed_at AS timestamptz{s}),
        CAST(:version AS integer{s}), CAST(:blob_id AS text{s}), CAST(:doc AS text{s}),
        CAST(:lookups AS text{s})
    {end} AS new (id, number, reference, status, priority, client_id, assigned_to, source,
              created_at, updated_at, due_at, first_response_at, closed_at, version, blob_id, doc,
              lookups)
    WHERE NOT EXISTS (SELECT FROM tickets t WHERE t.id = new.id AND t.version >= new.version)
    ORDER BY id, version DESC
    ON CONFLICT (id) DO UPDATE SET
        number = excluded.number, reference = excluded.reference, status = excluded.status,
        priority = excluded.priority, client_id = excluded.client_id,
        assigned_to = excluded.assigned_to, source = excluded.source,
        created_at = excluded.created_at, updated_at = excluded.updated_at,
        due_at = excluded.due_at, first_response_at = excluded.first_response_at,
        closed_at = excluded.closed_at, version = excluded.version, blob_id = excluded.blob_id,
        doc = excluded.doc, lookups = excluded.lookups
    WHERE target.version < excluded.version
"""

_ENTRIES = """
    INSERT INTO entries AS target (
        id, ticket_id, kind, created_at, version, blob_id, doc, reply_id, redacted, files)
    SELECT DISTINCT ON (id) * FROM {rows}
        CAST(:entry_id AS bigint{s}), CAST(:ticket_id AS bigint{s}), CAST(:kind AS text{s}),
        CAST(:entry_created_at AS timestamptz{s}), CAST(:entry_version AS integer{s}),
        CAST(:entry_blob_id AS text{s}), CAST(:entry_doc AS text{s}),
        CAST(:entry_reply_id AS bigint{s}), CAST(:entry_redacted AS boolean{s}),
        CAST(:entry_files AS jsonb{s})
    {end} AS new (id, ticket_id, kind, created_at, version, blob_id, doc, reply_id, redacted, files)
    WHERE NOT EXISTS (SELECT FROM entries e WHERE e.id = new.id AND e.version >= new.version)
    ORDER BY id, version DESC
    ON CONFLICT (id) DO UPDATE SET
        ticket_id = excluded.ticket_id, kind = excluded.kind, created_at = excluded.created_at,
        version = excluded.version, blob_id = excluded.blob_id, doc = excluded.doc,
        reply_id = excluded.reply_id, redacted = excluded.redacted, files = excluded.files
    WHERE target.version < excluded.version
"""

_OF_MANY = {"rows": "unnest(", "s": "[]", "end": ")"}
_OF_ONE = {"rows": "(VALUES (", "s": "", "end": "))"}
"""Planned once, where arrays are planned for anew, for their lengths."""

KEEP_TICKETS = compiled(text(_TICKETS.format(**_OF_MANY)))
KEEP_ENTRIES = compiled(text(_ENTRIES.format(**_OF_MANY)))

# A CTE that nobody reads runs after the statement: tickets are locked before entries, as in the
# projector's batches. The other way round the two would wait for each other.
KEEP_BOTH = compiled(text(f"WITH kept AS ({_ENTRIES}) {_TICKETS}".format(**_OF_ONE)))


def ticket_row(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "number": ticket.number,
        "reference": ticket.reference,
        "status": ticket.status,
        "priority": ticket.priority,
        "client_id": ticket.client and ticket.client.id,
        "assigned_to": ticket.assigned_to and ticket.assigned_to.id,
        "source": ticket.source,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "due_at": ticket.due_at,
        "first_response_at": ticket.first_response_at,
        "closed_at": ticket.closed_at,
        "version": ticket.version,
        "blob_id": ticket.body.blob_id,
        "doc": shown(ticket),
        "lookups": lookups(ticket),
    }


def entry_row(entry: Entry) -> dict[str, Any]:
    return {
        "entry_id": entry.id,
        "ticket_id": entry.ticket_id,
        "kind": entry.kind,
        "entry_created_at": entry.created_at,
        "entry_version": entry.version,
        "entry_blob_id": entry.body.blob_id,
        "entry_doc": shown(entry),
        "entry_reply_id": None if _opened(entry) else entry.id,
        "entry_redacted": entry.redacted_at is not None,
        "entry_files": _files(entry),
    }


def _files(entry: Entry) -> str | None:
    if not entry.attachments:
        return None
    return orjson.dumps([file.model_dump() for file in entry.attachments]).decode()


def _opened(entry: Entry) -> bool:
    """Whether it is what the ticket was opened with that it is shown on."""
    return entry.opening and entry.origin_ticket_id == entry.ticket_id


async def keep_both(database: Database, both: TicketEntry) -> None:
    """What a write on a ticket was answered with, so that whoever reads next finds it."""
    row = ticket_row(both.ticket) | entry_row(both.entry)
    await database.execute(KEEP_BOTH, **row)
    if both.time is not None:
        await keep_times(database, both.time)


async def keep_tickets(database: Database, *tickets: Ticket) -> None:
    await keep(database, KEEP_TICKETS, *map(ticket_row, tickets))


async def keep_time(database: Database, kept: KeptTime) -> None:
    """A time entry, and what changed with it."""
    await keep_times(database, *filter(None, (kept.time, kept.stopped)))
    if kept.tickets:
        await keep_tickets(database, *kept.tickets)
    if kept.entry is not None:
        await keep(database, KEEP_ENTRIES, entry_row(kept.entry))
