"""Settings as JSON: the instance's are whole, a client's are what it has otherwise."""

from functools import lru_cache

import asyncpg
from sqlalchemy import text

from deskwire.contracts.settings import ClientSettings, MailboxSettings, PolicyChanges, Settings
from deskwire.contracts.terms import Source
from deskwire.contracts.threads import MailSender
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
    CAST(f.doc AS text) AS policy, coalesce(co.language, cl.language) AS language,
    coalesce(cl.timezone, s.doc ->> 'timezone') AS timezone, t.mailbox,
    co.notifications IS NOT FALSE AS contact_hears
"""
"""Whether the client `cl` hears of new and closed tickets, all that is in force for it, what the
contact `co` reads and whether they hear of it, the client's clock, and the ticket's mailbox."""

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
    found = _in_force(row["policy"])
    return Correspondence(
        sender=_sender(found, row["mailbox"]),
        language=written_in(row["language"], found.languages),
        team_language=found.languages[0],
        timezone=row["timezone"],
        feedback=found.feedback,
        statuses=found.status_notifications,
        contact_hears=row["contact_hears"],
    )


def _sender(found: Settings, mailbox: str | None) -> MailSender:
    """The mailbox that the ticket came by, as far as it says who it is."""
    box = next((each for each in found.mailboxes if each.name == mailbox), MailboxSettings(name=""))
    return MailSender(
        name=box.from_name or found.from_name,
        address=box.address or found.from_address,
        reply_to=box.address,
    )


def team(row: asyncpg.Record) -> tuple[str, ...]:
    """The list that is told of new tickets, from the columns of `TOLD`."""
    return _in_force(row["policy"]).new_ticket_addresses


def team_for_new(row: asyncpg.Record, source: Source) -> tuple[str, ...]:
    """Nobody when they are not to be told of tickets that came by that way."""
    found = _in_force(row["policy"])
    return found.new_ticket_addresses if source in found.new_ticket_sources else ()


@lru_cache(maxsize=1000)
def _in_force(doc: str) -> Settings:
    """Few differ: the instance's, and those of each client that has any of its own."""
    return Settings.model_validate_json(doc)
