"""notify-svc: what is connected to what."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from deskwire import db, health
from deskwire.messaging.broker import connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.outbox import Outbox
from deskwire.service import serve
from deskwire.topology import NOTIFY_REQUESTS, NOTIFY_SVC
from notify_svc.handlers import handlers
from notify_svc.handlers.agents import ask_for_agents
from notify_svc.rendering.previews import check
from notify_svc.rendering.wording import Wording
from notify_svc.sender import Wakes, sending
from notify_svc.settings import Settings

NAME = "notify-svc"


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    if settings.templates:
        check(Wording(settings.templates))
    wakes: Wakes = {"mail": asyncio.Event(), "webhook": asyncio.Event()}
    wake = partial(_wake, wakes)
    known = handlers(private_webhooks=settings.webhooks_to_private)
    queues = (NOTIFY_SVC, NOTIFY_REQUESTS)
    async with (
        connect(settings.broker_url, name=NAME) as broker,
        db.connect(settings.database_url) as database,
        Outbox(database, broker, service=NAME, after_commit=wake).relaying() as outbox,
        sending(settings, outbox, wakes),
        consuming(known, queues, broker, outbox, drain=settings.shutdown_seconds),
        health.serving(settings.health_port, database, broker),
    ):
        await ask_for_agents(outbox)
        yield


def _wake(wakes: Wakes) -> None:
    for wake in wakes.values():
        wake.set()


def main() -> None:
    serve(NAME, Settings, running)


if __name__ == "__main__":
    main()
