"""What tickets wait for: JSON beside the ticket, null when it is nothing."""

import asyncpg
from sqlalchemy import text

from deskwire.db import compiled
from ticket_svc.domain.clock import NOTHING, Clock, Policy, policy
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET

# The moments follow from a change that made a new version already.
SET = compiled(
    text("""
    UPDATE tickets SET clock = :clock, due_at = CAST(:due_at AS timestamptz) WHERE id = :id
    """)
)

# Told anew, but not changed: `updated_at` stays.
MOVE = compiled(
    text(f"""
    WITH t AS (
        UPDATE tickets SET clock = moved.clock, due_at = moved.due_at, version = version + 1
        FROM unnest(CAST(:ids AS bigint[]), CAST(:clocks AS text[]),
                    CAST(:due_ats AS timestamptz[])) AS moved (id, clock, due_at)
        WHERE tickets.id = moved.id
        RETURNING tickets.*
    )
    SELECT {TICKET}, {OPENING} FROM t {JOINS} {OPENING_JOIN} ORDER BY t.id DESC
    """)
)

ROWS = 100

PAGE = compiled(
    text(f"""
    SELECT id FROM tickets
    WHERE (clock IS NOT NULL OR status = 'auto-close') AND status <> 'closed'
      AND (CAST(:client_id AS bigint) IS NULL OR client_id = :client_id)
      AND id < coalesce(CAST(:before AS bigint), {2**63 - 1})
    ORDER BY id DESC LIMIT {ROWS}
    """)
)

NOW = compiled(text("SELECT now()"))

LAST_PUBLIC = compiled(
    text("""
    SELECT * FROM entries WHERE ticket_id = :ticket_id AND kind = 'public' AND redacted_at IS NULL
    ORDER BY id DESC LIMIT 1
    """)
)

LAST_WORD = compiled(
    text("""
    SELECT kind, created_at FROM entries WHERE ticket_id = :ticket_id AND kind <> 'internal'
    ORDER BY id DESC LIMIT 1
    """)
)

ARMED = "SELECT * FROM (SELECT id, clock, version FROM tickets WHERE clock IS NOT NULL) armed"


def column(clock: Clock) -> str | None:
    return None if clock == NOTHING else clock.model_dump_json()


def policy_of(row: asyncpg.Record) -> Policy:
    """From the columns of `settings.TOLD`."""
    return policy(row["policy"], row["timezone"])
