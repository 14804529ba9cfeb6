"""gateway: what is connected to what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from deskwire import db, health
from deskwire.blobs import open_blobs
from deskwire.messaging.broker import connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.outbox import Outbox
from deskwire.service import serve
from deskwire.topology import GATEWAY
from deskwire.web import http_server
from gateway.api import Services, create_app
from gateway.projector import HANDLERS, TIDY, fill_if_empty
from gateway.settings import Settings

NAME = "gateway"
LISTS = 4
"""Lists and searches of tickets that are read at once; more wait."""


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[uvicorn.Server]:
    async with (
        connect(settings.broker_url, name=NAME) as broker,
        db.connect(settings.database_url) as database,
        db.connect(settings.database_url, size=LISTS, plan_values=True) as lists,
    ):
        at = Services(settings, database, lists, broker, open_blobs(settings.blob_url))
        outbox = Outbox(database, broker, service=NAME, after_commit=at.feed.wake, tidy=TIDY)
        async with (
            outbox.relaying(),
            consuming(HANDLERS, (GATEWAY,), broker, outbox, drain=settings.shutdown_seconds),
            http_server(_http(settings, at)) as server,
            at.feed.running(),  # left before the server, which waits for who is connected
            health.serving(settings.health_port, database, broker),
        ):
            await fill_if_empty(outbox)
            yield server


def _http(settings: Settings, services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(services),
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=65,  # longer than a load balancer's, which must not meet a closed one
        timeout_graceful_shutdown=int(settings.shutdown_seconds),
    )


def main() -> None:
    serve(NAME, Settings, running)


if __name__ == "__main__":
    main()
