"""What went out, mails and calls of webhooks, as the read model keeps it."""

from typing import Any

from sqlalchemy import text

from deskwire.contracts.notifications import Delivery
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, text_of

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


async def keep_delivery(database: Database, delivery: Delivery) -> None:
    await keep(database, KEEP_DELIVERIES, delivery_row(delivery))
