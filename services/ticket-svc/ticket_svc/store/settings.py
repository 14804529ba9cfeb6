"""Settings as JSON: the instance's are whole, a client's are what it has otherwise."""

import json

import asyncpg
from sqlalchemy import text

from deskwire.contracts.settings import EVERY_SOURCE, ClientSettings, PolicyChanges, Settings
from deskwire.contracts.tickets import MailSender
from deskwire.db import compiled
from ticket_svc.domain.threads import Correspondence, written_in

IN_FORCE_JOIN = """
    CROSS JOIN settings s LEFT JOIN client_settings cs ON cs.client_id = t.client_id
    CROSS JOIN LATERAL (SELECT s.doc || coalesce(cs.overrides, '{}') AS doc) f
"""
"""`f`: what is in force for the ticket `t`."""

TOLD = """
    CAST(f.doc ->> 'client_notifications' AS boolean)
        AND cl.notifications IS NOT FALSE AS notify_client,
    f.doc ->> 'from_name' AS from_name, f.doc ->> 'from_address' AS from_address,
    f.doc ->> 'new_ticket_addresses' AS team,
    f.doc ->> 'languages' AS languages, coalesce(co.language, cl.language) AS language,
    CAST(f.doc AS text) AS policy, coalesce(cl.timezone, s.doc ->> 'timezone') AS timezone
"""
"""Whether the client `cl` hears of new and closed tickets, who mails come from, who the team is,
what they are written in, and what the contact `co` reads; and all of it."""

LOCK = compiled(text("SELECT * FROM settings FOR UPDATE"))

UPDATE = compiled(
    text("""
    UPDATE settings SET doc = CAST(:doc AS jsonb), version = version + 1 RETURNING *
    """)
)

# Overrides have no row before the first one, so that of the client is locked; what they are is
# read after, by a statement that sees what those did who were waited for.
LOCK_CLIENT = compiled(text("SELECT id FROM clients WHERE id = :client_id FOR NO KEY UPDATE"))

OF_CLIENT = compiled(
    text("""
    SELECT c.client_id, coalesce(cs.overrides, '{}') AS overrides,
           coalesce(cs.version, 0) AS version, s.version AS instance_version
    FROM (SELECT CAST(:client_id AS bigint) AS client_id) c CROSS JOIN settings s
    LEFT JOIN client_settings cs ON cs.client_id = c.client_id
    """)
)

KEEP_OF_CLIENT = compiled(
    text("""
    INSERT INTO client_settings AS cs (client_id, overrides)
    VALUES (:client_id, CAST(:overrides AS jsonb))
    ON CONFLICT (client_id) DO UPDATE
        SET overrides = excluded.overrides, version = cs.version + 1
    RETURNING *
    """)
)


def settings(row: asyncpg.Record) -> Settings:
    return Settings.model_validate_json(row["doc"]).model_copy(update={"version": row["version"]})


def client_settings(row: asyncpg.Record) -> ClientSettings:
    return ClientSettings(
        client_id=row["client_id"],
        overrides=PolicyChanges.model_validate_json(row["overrides"]),
        version=row["version"],
    )


def correspondence(row: asyncpg.Record) -> Correspondence:
    """From the columns of `TOLD`."""
    languages = json.loads(row["languages"])
    return Correspondence(
        sender=MailSender(name=row["from_name"], address=row["from_address"]),
        language=written_in(row["language"], languages),
        team_language=languages[0],
        timezone=row["timezone"],
    )


def team(row: asyncpg.Record) -> tuple[str, ...]:
    """The list that is told of new tickets, from the columns of `TOLD`."""
    return tuple(json.loads(row["team"]))


def team_for_new(row: asyncpg.Record, source: str) -> tuple[str, ...]:
    """Nobody when they are not to be told of tickets that came by that way."""
    sources = json.loads(row["policy"]).get("new_ticket_sources", EVERY_SOURCE)
    return team(row) if source in sources else ()
