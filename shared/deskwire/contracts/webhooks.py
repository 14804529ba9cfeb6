"""Webhooks: programs that are told of events over HTTP. notify-svc owns them."""

from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Changes, Command, Document, Event

WebhookEvent = Literal[
    "ticket.opened",
    "ticket.replied",
    "ticket.noted",
    "ticket.changed",
    "ticket.chased",
    "ticket.deadline",
    "ticket.merged",
    "ticket.rated",
    "invoice.drafted",
    "invoice.changed",
]


class Webhook(Document):
    """``events``: of which it is told; none for all of them. ``client_id``: of this client's
    tickets and invoices alone, of no internal notes, and of no drafts."""

    id: int
    url: str
    description: str = ""
    events: tuple[WebhookEvent, ...] = ()
    client_id: int | None = None
    enabled: bool = True
    created_at: datetime
    archived_at: datetime | None = None
    version: int = 1


class NewWebhook(Document):
    """With the secret that signs what it is told, as standardwebhooks.com has it; told once."""

    webhook: Webhook
    secret: str


class Replayed(Document):
    """How many deliveries are sent anew."""

    count: int


# Commands.


class CreateWebhook(Command[NewWebhook], name="webhook.create.v1"):
    url: str
    description: str = ""
    events: tuple[WebhookEvent, ...] = ()
    client_id: int | None = None


class WebhookChanges(Changes):
    """``archived`` is for ever: it is told nothing any more."""

    url: str = ""
    description: str = ""
    events: tuple[WebhookEvent, ...] = ()
    enabled: bool = True
    archived: bool = False


class ChangeWebhook(Command[Webhook], name="webhook.change.v1"):
    """``if_version`` is what the caller saw (None: whatever it is now)."""

    id: int
    changes: WebhookChanges
    if_version: int | None = None


class ReplayWebhook(Command[Replayed], name="webhook.replay.v1"):
    """Send again what happened since then: all of it, or what did not arrive."""

    id: int
    since: datetime
    failed_only: bool = False


# Events.


class WebhookChanged(Event, name="webhook.changed.v1"):
    webhook: Webhook

    @property
    def aggregate(self) -> str:
        return f"webhook:{self.webhook.id}"
