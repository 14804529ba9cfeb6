"""ticket-svc: what is connected to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskwire import db, health
from deskwire.blobs import open_blobs
from deskwire.messaging.broker import connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.outbox import Outbox
from deskwire.service import serve
from deskwire.settings import keys_of
from deskwire.topology import TICKET_REQUESTS, TICKET_SVC
from ticket_svc.collector import collecting
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import handlers, rounds
from ticket_svc.settings import Settings
from ticket_svc.store.attachments import EXPIRE
from ticket_svc.store.people import TIDY_BUDGETS

NAME = "ticket-svc"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    signer = Signer(keys_of(settings.signing_key), settings.mail_domain)
    queues = (TICKET_SVC, TICKET_REQUESTS)
    blobs = open_blobs(settings.blob_url)
    async with (
        connect(settings.broker_url, name=NAME) as broker,
        db.connect(settings.database_url) as database,
        Outbox(database, broker, service=NAME, tidy=(EXPIRE, TIDY_BUDGETS)).relaying() as outbox,
        consuming(
            handlers(signer),
            queues,
            broker,
            outbox,
            rounds=rounds,
            drain=settings.shutdown_seconds,
        ),
        collecting(database, blobs),
        health.serving(settings.health_port, database, broker),
    ):
        yield


def main() -> None:
    serve(NAME, Settings, running)


if __name__ == "__main__":
    main()
