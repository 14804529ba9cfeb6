"""Claiming mails and taking them in: what is committed at each step of their way."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from deskwire.db import Database, compiled
from mail_ingest_svc.store.documents import DOCUMENT

LEASE = "interval '5 seconds'"
"""So long a claimed mail is left to who claimed it, who may be another process."""

MOVING = "interval '2 seconds'"
"""So long after the commit a mail is left to who took it, who is moving it: two who move it at once
may leave two of it on the server."""

FAILURES = 3
"""A mail that could not be taken in so many times is given up."""

LEFT_UNREAD = "left the folder before it was read"

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
    SELECT id, uid, state, 1 AS attempts, true AS fresh, false AS free, false AS busy,
           false AS flagged
    FROM fresh
    UNION ALL
    SELECT id, uid, state, attempts, false,
           state = 'fetching' AND coalesce(claimed_at < now() - {LEASE}, true),
           CASE state WHEN 'fetching' THEN claimed_at >= now() - {LEASE}
               ELSE flagged_at IS NULL AND received_at >= now() - {MOVING} END,
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

# What is in the blobs and nobody has begun, or (``again``) one by one what was begun before.
CLAIM_KEPT = compiled(
    text(f"""
    UPDATE mails SET attempts = attempts + 1, claimed_at = now()
    WHERE id IN (
        SELECT id FROM mails
        WHERE state = 'fetching' AND raw_id IS NOT NULL
          AND (attempts > 0) = CAST(:again AS boolean)
          AND coalesce(claimed_at < now() - {LEASE}, true)
        ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED)
    RETURNING id, mailbox, size, raw_id, attempts, reason
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
    UPDATE mails SET claimed_at = NULL, reason = :reason
    WHERE id = :id AND state = 'fetching' AND attempts < {FAILURES}
    """)
)

GIVE_UP = compiled(
    text(f"""
    UPDATE mails SET claimed_at = NULL, reason = :reason, state = 'failed',
        raw_id = coalesce(:raw_id, raw_id), version = version + 1
    WHERE id = :id AND state = 'fetching' AND attempts >= {FAILURES}
    RETURNING {DOCUMENT}
    """)
)

# What is in the blobs is taken from there.
GONE = compiled(
    text(f"""
    UPDATE mails SET state = 'failed', reason = '{LEFT_UNREAD}',
        claimed_at = NULL, flagged_at = now(), version = version + 1
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'fetching' AND raw_id IS NULL
    RETURNING {DOCUMENT}
    """)
)

# The row that this takes is the one that is told of: when two processes have read the same mail,
# the second finds the row taken, or the content known.
TAKE = compiled(
    text(f"""
    WITH incoming AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:id AS bigint[]), CAST(:sha256 AS text[]), CAST(:raw_id AS text[]),
            CAST(:message_id AS text[]), CAST(:sender AS text[]), CAST(:subject AS text[]),
            CAST(:reason AS text[]), CAST(:parts AS text[]))
        AS i(id, sha256, raw_id, message_id, sender, subject, reason, parts)
    ), first AS (
        INSERT INTO originals (sha256, mail_id)
        SELECT DISTINCT ON (sha256) sha256, id FROM incoming ORDER BY sha256, id
        ON CONFLICT DO NOTHING
        RETURNING mail_id
    )
    UPDATE mails SET
        sha256 = i.sha256, raw_id = i.raw_id, message_id = i.message_id, sender = i.sender,
        subject = i.subject, reason = i.reason, parts = i.parts, received_at = now(),
        claimed_at = NULL,
        version = version + 1,
        state = CASE WHEN i.id IN (SELECT mail_id FROM first) OR EXISTS (
                SELECT FROM originals o WHERE o.sha256 = i.sha256 AND o.mail_id = i.id)
            THEN 'received' ELSE 'duplicate' END
    FROM incoming i
    WHERE mails.id = i.id AND mails.state IN ('fetching', 'failed')
    RETURNING {DOCUMENT}, mails.accepted, mails.client_id
    """)
)

# A statement of its own, after `TAKE`: only now is seen what a concurrent process has taken.
NAME_ORIGINALS = compiled(
    text(f"""
    UPDATE mails SET reason = 'the same as mail ' || first.id || ' in ' || first.mailbox
    FROM originals, mails first
    WHERE mails.id = ANY(CAST(:ids AS bigint[]))
      AND originals.sha256 = mails.sha256 AND first.id = originals.mail_id
    RETURNING {DOCUMENT}
    """)
)

MOVED = compiled(text("UPDATE mails SET flagged_at = now() WHERE id = ANY(CAST(:ids AS bigint[]))"))

# The first look after an outage: what is no longer in the folder was moved by us before it could
# be noted, or by somebody before we could read it. ``later``: there is one that another process
# has, or had when it died.
LEFT = compiled(
    text(f"""
    WITH gone AS (
        UPDATE mails SET flagged_at = now(), claimed_at = NULL
        WHERE mailbox = :mailbox AND folder = :folder AND flagged_at IS NULL
          AND coalesce(claimed_at < now() - {LEASE}, true)
          AND NOT (uidvalidity = CAST(:uidvalidity AS bigint)
                   AND uid = ANY(CAST(:uids AS text[])))
        RETURNING id, state, raw_id
    )
    SELECT id, false AS later FROM gone WHERE state = 'fetching' AND raw_id IS NULL
    UNION ALL
    SELECT 0, true WHERE EXISTS (
        SELECT FROM mails
        WHERE mailbox = :mailbox AND folder = :folder AND flagged_at IS NULL
          AND claimed_at >= now() - {LEASE} AND seen_at < now() - interval '1 second'
          AND NOT (uidvalidity = CAST(:uidvalidity AS bigint)
                   AND uid = ANY(CAST(:uids AS text[]))))
    """)
)

HANDLED = compiled(
    text(f"""
    UPDATE mails SET
        state = h.state, reason = coalesce(nullif(h.reason, ''), mails.reason),
        ticket_id = h.ticket_id, entry_id = h.entry_id, handled_at = now(), version = version + 1
    FROM unnest(CAST(:id AS bigint[]), CAST(:state AS text[]), CAST(:reason AS text[]),
                CAST(:ticket_id AS bigint[]), CAST(:entry_id AS bigint[]))
         AS h(id, state, reason, ticket_id, entry_id)
    WHERE mails.id = h.id
    RETURNING {DOCUMENT}
    """)
)

RECENT = compiled(
    text("SELECT * FROM mails ORDER BY id DESC LIMIT :limit"),
)
RECENT_OF_STATE = compiled(
    text("SELECT * FROM mails WHERE state = :state ORDER BY id DESC LIMIT :limit")
)


async def recent(
    database: Database, state: str | None = None, limit: int = 50
) -> Sequence[dict[str, Any]]:
    """The newest ledger rows, as dicts of all columns; of one state or of all: for the CLI."""
    if state is None:
        rows = await database.fetch(RECENT, limit=limit)
    else:
        rows = await database.fetch(RECENT_OF_STATE, state=state, limit=limit)
    return [dict(row) for row in rows]
