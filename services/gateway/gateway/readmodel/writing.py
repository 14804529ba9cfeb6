"""Keeping documents: by the projector, and by a write before it is answered. The newest wins.

Each statement takes one array per column, whatever order and however often a document comes in it.
A document that is there already, in this version or a later one, costs a look and no write.
"""

from typing import Any

import orjson
from sqlalchemy import text

from deskwire.contracts.notifications import AgentNotifications, Delivery, Suppression
from deskwire.contracts.people import Agent, Asset, Client, Contact, Domain, Location
from deskwire.contracts.schedules import Schedule
from deskwire.contracts.settings import ClientSettings, SettingHistoryItem, Settings
from deskwire.contracts.tickets import Entry, HistoryItem, Ticket, TicketEntry
from deskwire.contracts.timekeeping import KeptTime
from deskwire.contracts.webhooks import Webhook
from deskwire.db import Database, compiled
from gateway.readmodel.documents import shown, text_of
from gateway.readmodel.lookups import lookups
from gateway.readmodel.timekeeping import keep_times
from gateway.readmodel.words import sort_key, words

Record = (
    Client
    | Contact
    | Domain
    | Agent
    | Asset
    | Location
    | Settings
    | ClientSettings
    | Schedule
    | AgentNotifications
    | Suppression
    | Webhook
)

KINDS: dict[type[Record], str] = {
    Client: "client",
    Contact: "contact",
    Domain: "domain",
    Agent: "agent",
    Asset: "asset",
    Location: "location",
    Settings: "settings",
    ClientSettings: "client_settings",
    Schedule: "schedule",
    AgentNotifications: "notifications",
    Suppression: "suppression",
    Webhook: "webhook",
}
SETTINGS_ID = 1

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

KEEP_RECORDS = compiled(
    text("""
    INSERT INTO records AS target (
        kind, id, client_id, version, doc, archived, lookups, name, words)
    SELECT DISTINCT ON (kind, id)
        kind, id, client_id, version, doc, archived, string_to_array(lookups, E'\\n'), name,
        array_to_tsvector(string_to_array(words, E'\\n'))
    FROM unnest(
        CAST(:kind AS text[]), CAST(:id AS bigint[]), CAST(:client_id AS bigint[]),
        CAST(:version AS integer[]), CAST(:doc AS text[]), CAST(:archived AS boolean[]),
        CAST(:lookups AS text[]), CAST(:name AS text[]), CAST(:words AS text[])
    ) AS new (kind, id, client_id, version, doc, archived, lookups, name, words)
    WHERE NOT EXISTS (SELECT FROM records r
                      WHERE r.kind = new.kind AND r.id = new.id AND r.version >= new.version)
    ORDER BY kind, id, version DESC
    ON CONFLICT (kind, id) DO UPDATE SET
        client_id = excluded.client_id, version = excluded.version, doc = excluded.doc,
        archived = excluded.archived, lookups = excluded.lookups, name = excluded.name,
        words = excluded.words
    WHERE target.version < excluded.version
    """)
)

KEEP_DELIVERIES = compiled(
    text("""
    INSERT INTO deliveries AS target (
        id, channel, ticket_id, state, template, recipient, version, doc)
    SELECT DISTINCT ON (id) * FROM unnest(
        CAST(:id AS bigint[]), CAST(:channel AS text[]), CAST(:ticket_id AS bigint[]),
        CAST(:state AS text[]), CAST(:template AS text[]), CAST(:recipient AS text[]),
        CAST(:version AS integer[]), CAST(:doc AS text[])
    ) AS new (id, channel, ticket_id, state, template, recipient, version, doc)
    WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = new.id AND d.version >= new.version)
    ORDER BY id, version DESC
    ON CONFLICT (id) DO UPDATE SET
        ticket_id = excluded.ticket_id, state = excluded.state, version = excluded.version,
        doc = excluded.doc
    WHERE target.version < excluded.version
    """)
)

KEEP_HISTORY = compiled(
    text("""
    INSERT INTO history (id, ticket_id, doc)
    SELECT * FROM unnest(
        CAST(:id AS bigint[]), CAST(:ticket_id AS bigint[]), CAST(:doc AS text[]))
    ON CONFLICT (id) DO NOTHING
    """)
)

KEEP_SETTING_HISTORY = compiled(
    text("""
    INSERT INTO setting_history (id, client_id, doc)
    SELECT * FROM unnest(
        CAST(:id AS bigint[]), CAST(:client_id AS bigint[]), CAST(:doc AS text[]))
    ON CONFLICT (id) DO NOTHING
    """)
)

IS_EMPTY = compiled(text("SELECT NOT EXISTS (SELECT FROM records WHERE kind = 'settings')"))


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


def history_row(item: HistoryItem) -> dict[str, Any]:
    return {"id": item.id, "ticket_id": item.ticket_id, "doc": item.model_dump_json()}


def setting_history_row(item: SettingHistoryItem) -> dict[str, Any]:
    return {"id": item.id, "client_id": item.client_id, "doc": item.model_dump_json()}


def record_row(record: Record) -> dict[str, Any]:
    kind = KINDS[type(record)]
    return {
        "kind": kind,
        "id": _id_of(record),
        "client_id": _client_of(record),
        "version": record.version,
        "doc": text_of(record),
        "archived": _is_gone(record),
        "lookups": lookups(record),
        "name": sort_key(getattr(record, "name", "")),
        "words": words(kind, record),
    }


def _is_gone(record: Record) -> bool:
    gone = record.deleted_at if isinstance(record, Schedule) else None
    return (gone or getattr(record, "archived_at", None)) is not None


def _id_of(record: Record) -> int:
    match record:
        case Settings():
            return SETTINGS_ID
        case ClientSettings():
            return record.client_id
        case AgentNotifications():
            return record.agent_id
    return record.id


def _client_of(record: Record) -> int | None:
    match record:
        case Client():
            return record.id
        case Contact() | Domain() | Asset() | Location() | ClientSettings() | Webhook():
            return record.client_id
        case Schedule():
            return record.ticket.client_id
    return None


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "ticket_id": delivery.ticket_id,
        "state": delivery.state,
        "template": delivery.template,
        "recipient": delivery.recipient.casefold(),
        "version": delivery.version,
        "doc": text_of(delivery),
    }


async def keep_both(database: Database, both: TicketEntry) -> None:
    """What a write on a ticket was answered with, so that whoever reads next finds it."""
    row = ticket_row(both.ticket) | entry_row(both.entry)
    await database.execute(KEEP_BOTH, **row)
    if both.time is not None:
        await keep_times(database, both.time)


async def keep_tickets(database: Database, *tickets: Ticket) -> None:
    rows = [ticket_row(ticket) for ticket in tickets]
    await database.execute(KEEP_TICKETS, **{name: [row[name] for row in rows] for name in rows[0]})


async def keep_time(database: Database, kept: KeptTime) -> None:
    """A time entry, and what changed with it."""
    await keep_times(database, *filter(None, (kept.time, kept.stopped)))
    if kept.tickets:
        await keep_tickets(database, *kept.tickets)
    if kept.entry is not None:
        row = {name: [value] for name, value in entry_row(kept.entry).items()}
        await database.execute(KEEP_ENTRIES, **row)


async def keep_delivery(database: Database, delivery: Delivery) -> None:
    row = {name: [value] for name, value in delivery_row(delivery).items()}
    await database.execute(KEEP_DELIVERIES, **row)


async def keep_record(database: Database, record: Record) -> None:
    row = record_row(record)
    await database.execute(KEEP_RECORDS, **{name: [value] for name, value in row.items()})
