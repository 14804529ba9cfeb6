"""Webhooks: made, changed, told of events, and told again."""

import secrets
from datetime import UTC, datetime

from deskwire.contracts.tickets import TicketNoted
from deskwire.contracts.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    NewWebhook,
    Replayed,
    ReplayWebhook,
    Webhook,
    WebhookChanged,
)
from deskwire.errors import NotFound
from deskwire.messaging.outbox import Transaction
from notify_svc.domain.mails import Told
from notify_svc.domain.webhooks import (
    SECRET_BYTES,
    check_url,
    event_id,
    event_name,
    payload,
    secret_of,
)
from notify_svc.store import webhooks


def queue_webhooks(event: Told, tx: Transaction) -> None:
    name = event_name(event)
    if name is None:
        return
    tx.append(
        webhooks.QUEUE,
        event_id=event_id(event),
        ticket_id=event.ticket.id,
        event=name,
        client_id=event.ticket.client and event.ticket.client.id,
        internal=isinstance(event, TicketNoted),
        payload=payload(event, name, datetime.now(UTC)),
    )


async def create_webhook(command: CreateWebhook, tx: Transaction, *, private: bool) -> NewWebhook:
    check_url(command.url, private=private)
    secret = secret_of(secrets.token_bytes(SECRET_BYTES))
    values = command.model_dump() | {"events": list(command.events), "secret": secret}
    webhook = webhooks.document(await tx.fetch_row(webhooks.CREATE, **values))
    tx.emit(WebhookChanged(webhook=webhook))
    return NewWebhook(webhook=webhook, secret=secret)


async def change_webhook(command: ChangeWebhook, tx: Transaction, *, private: bool) -> Webhook:
    values = command.changes.values
    if "url" in values:
        check_url(values["url"], private=private)
    webhook = await webhooks.change(tx, command.id, values, command.if_version)
    tx.emit(WebhookChanged(webhook=webhook))
    return webhook


async def replay_webhook(command: ReplayWebhook, tx: Transaction) -> Replayed:
    if await tx.fetch_one(webhooks.LOCK, id=command.id) is None:
        raise NotFound(f"there is no webhook {command.id}")
    count = await tx.fetch_value(
        webhooks.REPLAY,
        recipient=f"webhook:{command.id}",
        since=command.since,
        failed_only=command.failed_only,
    )
    return Replayed(count=count)
