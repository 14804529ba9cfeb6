"""Webhooks: made, changed, told of events, and told again."""

import secrets
from dataclasses import asdict
from datetime import UTC, datetime

from deskwire.contracts.invoices import InvoiceChanged, InvoiceDrafted
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
    Call,
    check_url,
    of_invoice,
    of_ticket,
    secret_of,
)
from notify_svc.store import webhooks


async def tell_of_invoice(event: InvoiceDrafted | InvoiceChanged, tx: Transaction) -> None:
    queue(of_invoice(event, datetime.now(UTC)), tx)


def queue_webhooks(event: Told, tx: Transaction) -> None:
    queue(of_ticket(event, datetime.now(UTC)), tx)


def queue(call: Call | None, tx: Transaction) -> None:
    if call is not None:
        tx.append(webhooks.QUEUE, **asdict(call))


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
