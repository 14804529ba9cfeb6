"""mail-ingest-svc: what is connected to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskwire import db, health
from deskwire.blobs import open_blobs
from deskwire.messaging.broker import connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.outbox import Outbox
from deskwire.service import serve
from deskwire.topology import MAIL_INGEST_REQUESTS, MAIL_INGEST_SVC
from mail_ingest_svc.handlers import HANDLERS
from mail_ingest_svc.mailbox import (
    listening,
    lmtp_places,
    open_mailboxes,
    sweeping,
    watching,
)
from mail_ingest_svc.settings import Settings

NAME = "mail-ingest-svc"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    mailboxes = open_mailboxes(settings.mailboxes, settings.oauth)
    blobs, limit = open_blobs(settings.blob_url), settings.max_mail_bytes
    places, queues = lmtp_places(settings.mailboxes), (MAIL_INGEST_SVC, MAIL_INGEST_REQUESTS)
    async with (
        connect(settings.broker_url, name=NAME) as broker,
        db.connect(settings.database_url) as database,
        Outbox(database, broker, service=NAME).relaying() as outbox,
        consuming(HANDLERS, queues, broker, outbox, drain=settings.shutdown_seconds),
        watching(mailboxes, outbox, blobs, settings),
        sweeping(outbox, blobs, raw_days=settings.raw_mail_days),
        listening(places, database, blobs, limit=limit),
        health.serving(settings.health_port, database, broker),
    ):
        yield


def main() -> None:
    serve(NAME, Settings, running)


if __name__ == "__main__":
    main()
