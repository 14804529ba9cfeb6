"""The edge to mail servers and webhooks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from deskwire.blobs import open_blobs
from deskwire.contracts.notifications import Channel
from deskwire.messaging.outbox import Outbox
from deskwire.oauth import Tokens
from notify_svc.rendering.letter import Letterhead
from notify_svc.sender.letters import Writer
from notify_svc.sender.queue import Sender
from notify_svc.sender.transport import open_server
from notify_svc.sender.webhooks import WebhookServer, WebhookWriter
from notify_svc.settings import Settings

WEBHOOKS_AT_ONCE = 32  # several that hang leave some for others

Wakes = Mapping[Channel, asyncio.Event]


@asynccontextmanager
async def sending(settings: Settings, outbox: Outbox, wakes: Wakes) -> AsyncIterator[None]:
    """Send what is due until left; ``wakes`` say that something may have become so."""
    letterhead = Letterhead.of(settings)
    mail_server = open_server(
        settings.smtp_url,
        helo=letterhead.address.rpartition("@")[2],
        tokens=Tokens(settings.oauth, outbox.database),
        per_minute=settings.smtp_per_minute,
    )
    hooks = WebhookServer(private=settings.webhooks_to_private)
    writer = Writer(
        letterhead,
        open_blobs(settings.blob_url),
        outbox.database,
        attached_bytes=settings.attached_bytes,
    )
    again, drain = settings.uncertain_retry_seconds, settings.shutdown_seconds
    mails = Sender(
        *("mail", outbox, wakes["mail"], writer),
        uncertain_retry=again,
        connections=settings.smtp_connections,
    )
    webhooks = Sender(
        *("webhook", outbox, wakes["webhook"], WebhookWriter(outbox.database)),
        uncertain_retry=again,
        connections=WEBHOOKS_AT_ONCE,
    )
    async with mails.running(mail_server, drain=drain), webhooks.running(hooks, drain=drain):
        yield
