"""What went out, mails and calls of webhooks, as the read model keeps it."""

from typing import Any

from deskwire.contracts.notifications import Delivery
from deskwire.db import Database
from gateway.readmodel.documents import keep, newest, text_of
from gateway.readmodel.tables.mails import deliveries

KEEP_DELIVERIES = newest(deliveries)


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
