"""What is kept as a record: clients, their people and things, settings, schedules, webhooks."""

from typing import Any

from sqlalchemy import text

from deskwire.contracts.notifications import AgentNotifications, Suppression
from deskwire.contracts.records import Agent, Asset, Client, Contact, Domain, Location
from deskwire.contracts.schedules import Schedule
from deskwire.contracts.settings import ClientSettings, Settings
from deskwire.contracts.webhooks import Webhook
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, text_of
from gateway.readmodel.lookups import lookups
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

IS_EMPTY = compiled(text("SELECT NOT EXISTS (SELECT FROM records WHERE kind = 'settings')"))


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


async def keep_record(database: Database, record: Record) -> None:
    await keep(database, KEEP_RECORDS, record_row(record))
