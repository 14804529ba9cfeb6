"""The ledger: one row for every mail that a mailbox has shown us."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from deskwire.db import Database, compiled
from deskwire.messaging.schema import messaging_tables
from deskwire.oauth import oauth_table

metadata = MetaData()
messaging_tables(metadata)
oauth_table(metadata)

TIME = TIMESTAMP(timezone=True)

LEASE = "interval '5 seconds'"
"""So long a claimed mail is left to who claimed it, who may be another process."""

FAILURES = 3
"""A mail that could not be taken in so many times is given up."""

LEFT_UNREAD = "left the folder before it was read"

STATES = (
    "fetching",
    "received",
    "ticket",
    "reply",
    "ignored",
    "quarantined",
    "failed",
    "duplicate",
)
"""``fetching``: seen in the folder, not yet read; ``received``: ticket-svc has yet to answer;
``quarantined``: as ignored, but somebody is to look at it."""

mails = Table(
    "mails",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("mailbox", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("uidvalidity", BigInteger, nullable=False),
    Column("uid", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="fetching"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text),
    Column("raw_id", Text),
    Column("message_id", Text),
    Column("sender", Text),
    Column("subject", Text, nullable=False, server_default=""),
    Column("ticket_id", BigInteger),
    Column("entry_id", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("claimed_at", TIME, server_default=func.now()),
    Column("seen_at", TIME, nullable=False, server_default=func.now()),
    Column("received_at", TIME),
    Column("handled_at", TIME),
    Column("flagged_at", TIME),
    UniqueConstraint("mailbox", "folder", "uidvalidity", "uid"),
    CheckConstraint(f"state IN {STATES}", name="mails_state"),
)
Index("mails_by_state", mails.c.state, mails.c.id)  # RECENT of one state, COUNTS
unmoved = mails.c.flagged_at.is_(None)
Index("mails_unmoved", mails.c.mailbox, mails.c.folder, postgresql_where=unmoved)  # LEFT

originals = Table(
    "originals",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("mail_id", BigInteger, nullable=False),
)
"""The first mail of each content. Its key decides between processes that take the same one."""

# New mails are counted and committed before anything is done with them; of those known already,
# what became of them. One round trip for both.
CLAIM = compiled(
    text(f"""
    WITH fresh AS (
        INSERT INTO mails (mailbox, folder, uidvalidity, uid, size)
        SELECT :mailbox, :folder, CAST(:uidvalidity AS bigint), uid, size
        FROM unnest(CAST(:uids AS text[]), CAST(:sizes AS bigint[])) AS listed(uid, size)
        ON CONFLICT DO NOTHING
        RETURNING id, uid, state)
    SELECT id, uid, state, 1 AS attempts, true AS fresh, false AS free, false AS flagged FROM fresh
    UNION ALL
    SELECT id, uid, state, attempts, false,
           state = 'fetching' AND coalesce(claimed_at < now() - {LEASE}, true),
           flagged_at IS NOT NULL
    FROM mails
    WHERE mailbox = :mailbox AND folder = :folder AND uidvalidity = CAST(:uidvalidity AS bigint)
      AND uid = ANY(CAST(:uids AS text[]))
    ORDER BY id
    """)
)

CLAIM_AGAIN = compiled(
    text(f"""
    UPDATE mails SET attempts = attempts + 1, claimed_at = now()
    WHERE id = :id AND state = 'fetching' AND coalesce(claimed_at < now() - {LEASE}, true)
    RETURNING attempts, reason
    """)
)

# Something else than the mail was at fault.
RELEASE = compiled(
    text("""
    UPDATE mails SET claimed_at = NULL, reason = :reason,
        attempts = attempts - CASE WHEN CAST(:counts AS boolean) THEN 0 ELSE 1 END
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'fetching'
    """)
)

FAIL = compiled(
    text(f"""
    UPDATE mails SET claimed_at = NULL, reason = :reason,
        state = CASE WHEN attempts >= {FAILURES} THEN 'failed' ELSE state END
    WHERE id = :id AND state = 'fetching'
    RETURNING state
    """)
)

GONE = compiled(
    text(f"""
    UPDATE mails SET state = 'failed', reason = '{LEFT_UNREAD}',
        claimed_at = NULL, flagged_at = now()
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'fetching'
    """)
)

# The row that this takes is the one that is told of: when two processes have read the same mail,
# the second finds the row taken, or the content known.
TAKE = compiled(
    text("""
    WITH incoming AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:id AS bigint[]), CAST(:sha256 AS text[]), CAST(:raw_id AS text[]),
            CAST(:message_id AS text[]), CAST(:sender AS text[]), CAST(:subject AS text[]),
            CAST(:reason AS text[]))
        AS i(id, sha256, raw_id, message_id, sender, subject, reason)
    ), first AS (
        INSERT INTO originals (sha256, mail_id)
        SELECT DISTINCT ON (sha256) sha256, id FROM incoming ORDER BY sha256, id
        ON CONFLICT DO NOTHING
        RETURNING mail_id
    )
    UPDATE mails SET
        sha256 = i.sha256, raw_id = i.raw_id, message_id = i.message_id, sender = i.sender,
        subject = i.subject, reason = i.reason, received_at = now(), claimed_at = NULL,
        state = CASE WHEN first.mail_id IS NULL THEN 'duplicate' ELSE 'received' END
    FROM incoming i LEFT JOIN first ON first.mail_id = i.id
    WHERE mails.id = i.id AND mails.state IN ('fetching', 'failed')
    RETURNING mails.id, mails.state
    """)
)

# A statement of its own, after `TAKE`: only now is seen what a concurrent process has taken.
NAME_ORIGINALS = compiled(
    text("""
    UPDATE mails SET reason = 'the same as mail ' || first.id || ' in ' || first.mailbox
    FROM originals, mails first
    WHERE mails.id = ANY(CAST(:ids AS bigint[]))
      AND originals.sha256 = mails.sha256 AND first.id = originals.mail_id
    """)
)

MOVED = compiled(text("UPDATE mails SET flagged_at = now() WHERE id = ANY(CAST(:ids AS bigint[]))"))

# The first look after an outage: what is no longer in the folder was moved by us before it could
# be noted, or by somebody before we could read it.
LEFT = compiled(
    text(f"""
    UPDATE mails SET
        flagged_at = now(), claimed_at = NULL,
        reason = CASE state WHEN 'fetching' THEN '{LEFT_UNREAD}' ELSE reason END,
        state = CASE state WHEN 'fetching' THEN 'failed' ELSE state END
    WHERE mailbox = :mailbox AND folder = :folder AND flagged_at IS NULL
      AND coalesce(claimed_at < now() - {LEASE}, true)
      AND NOT (uidvalidity = CAST(:uidvalidity AS bigint) AND uid = ANY(CAST(:uids AS text[])))
    """)
)

HANDLED = compiled(
    text("""
    UPDATE mails SET
        state = h.state, reason = CASE h.reason WHEN '' THEN mails.reason ELSE h.reason END,
        ticket_id = h.ticket_id, entry_id = h.entry_id, handled_at = now()
    FROM unnest(CAST(:id AS bigint[]), CAST(:state AS text[]), CAST(:reason AS text[]),
                CAST(:ticket_id AS bigint[]), CAST(:entry_id AS bigint[]))
         AS h(id, state, reason, ticket_id, entry_id)
    WHERE mails.id = h.id
    """)
)

RECENT = compiled(
    text("SELECT * FROM mails ORDER BY id DESC LIMIT :limit"),
)
RECENT_OF_STATE = compiled(
    text("SELECT * FROM mails WHERE state = :state ORDER BY id DESC LIMIT :limit")
)
COUNTS = compiled(text("SELECT state, count(*) AS mails FROM mails GROUP BY state"))


async def recent(
    database: Database, state: str | None = None, limit: int = 50
) -> Sequence[dict[str, Any]]:
    """The newest ledger rows, as dicts of all columns; of one state or of all."""
    if state is None:
        rows = await database.fetch(RECENT, limit=limit)
    else:
        rows = await database.fetch(RECENT_OF_STATE, state=state, limit=limit)
    return [dict(row) for row in rows]


async def counts(database: Database) -> dict[str, int]:
    """Mails by state; states without a mail are there with 0."""
    found = {row["state"]: row["mails"] for row in await database.fetch(COUNTS)}
    return {state: found.get(state, 0) for state in STATES}
