"""Webhooks, and the deliveries that tell them."""

from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.webhooks import Webhook
from deskwire.db import Session, compiled
from deskwire.errors import Conflict, NotFound, check_version

COLUMNS = "id, url, description, events, client_id, enabled, created_at, archived_at, version"

CREATE = compiled(
    text(f"""
    INSERT INTO webhooks (url, description, events, client_id, secret)
    VALUES (:url, :description, CAST(:events AS text[]), :client_id, :secret)
    RETURNING {COLUMNS}
    """)
)

LOCK = compiled(text(f"SELECT {COLUMNS} FROM webhooks WHERE id = :id FOR UPDATE"))

CHANGE = compiled(
    text(f"""
    UPDATE webhooks SET url = :url, description = :description,
        events = CAST(:events AS text[]), enabled = :enabled,
        archived_at = CASE WHEN :archived THEN coalesce(archived_at, now()) END,
        version = version + 1
    WHERE id = :id RETURNING {COLUMNS}
    """)
)

TARGET = compiled(
    text("SELECT url, secret, enabled AND archived_at IS NULL AS live FROM webhooks WHERE id = :id")
)

# Run with all events of a batch at once; without webhooks it costs a look at an empty table.
QUEUE = compiled(
    text("""
    INSERT INTO deliveries (channel, about, ticket_id, template, recipient, message_id, context)
    SELECT 'webhook', told.event_id, told.ticket_id, told.event, 'webhook:' || webhooks.id,
           told.event_id, told.payload
    FROM unnest(CAST(:event_id AS text[]), CAST(:ticket_id AS bigint[]), CAST(:event AS text[]),
                CAST(:client_id AS bigint[]), CAST(:internal AS boolean[]),
                CAST(:payload AS text[])) WITH ORDINALITY
        AS told (event_id, ticket_id, event, client_id, internal, payload, n)
    JOIN webhooks ON enabled AND archived_at IS NULL
        AND (events = '{}' OR told.event = ANY(events))
        AND (webhooks.client_id IS NULL
             OR webhooks.client_id = told.client_id AND NOT told.internal)
    ORDER BY n, webhooks.id
    ON CONFLICT DO NOTHING
    """)
)

REPLAY = compiled(
    text("""
    WITH again AS (
        UPDATE deliveries
        SET state = 'queued', next_attempt_at = now(), queued_at = now(), ambiguous = 0,
            version = version + 1
        WHERE recipient = :recipient AND created_at >= :since AND state <> 'sending'
          AND (NOT :failed_only OR state <> 'sent')
        RETURNING id
    )
    SELECT count(*) FROM again
    """)
)


async def change(
    session: Session, id: int, values: Mapping[str, Any], if_version: int | None
) -> Webhook:
    """Raises `NotFound`, `StaleVersion`, or `Conflict` for one that is archived."""
    row = await session.fetch_one(LOCK, id=id)
    if row is None:
        raise NotFound(f"there is no webhook {id}")
    before = document(row)
    check_version(before.version, if_version)
    if before.archived_at is not None:
        raise Conflict("this webhook is archived")
    wanted = before.model_dump(include={"url", "description", "events", "enabled"})
    wanted |= {"archived": False} | dict(values)
    wanted["events"] = list(wanted["events"])
    return document(await session.fetch_row(CHANGE, id=id, **wanted))


def document(row: asyncpg.Record) -> Webhook:
    return Webhook.model_validate(dict(row))
