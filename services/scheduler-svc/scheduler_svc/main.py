"""scheduler-svc: what is connected to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deskwire import db, health
from deskwire.messaging.broker import connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.outbox import Outbox
from deskwire.service import serve
from deskwire.topology import SCHEDULER_REQUESTS, SCHEDULER_SVC
from scheduler_svc.clock import ticking
from scheduler_svc.handlers import HANDLERS
from scheduler_svc.settings import Settings
from scheduler_svc.store import TIDY_OCCURRENCES

NAME = "scheduler-svc"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    queues = (SCHEDULER_SVC, SCHEDULER_REQUESTS)
    async with (
        connect(settings.broker_url, name=NAME) as broker,
        db.connect(settings.database_url) as database,
        Outbox(database, broker, service=NAME, tidy=(TIDY_OCCURRENCES,)).relaying() as outbox,
        consuming(HANDLERS, queues, broker, outbox, drain=settings.shutdown_seconds),
        ticking(outbox, longest=settings.tick_seconds),
        health.serving(settings.health_port, database, broker),
    ):
        yield


def main() -> None:
    serve(NAME, Settings, running)


if __name__ == "__main__":
    main()
