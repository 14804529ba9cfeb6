"""The peer in the same run: the gateway's own web stack that answers a constant, and that does a
create's SQL itself, without a broker between.

    python -m bench.direct PORT TICKETS_URL GATEWAY_URL
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
import uvloop
from fastapi import Request, Response

from deskwire import db
from deskwire.blobs import open_blobs
from deskwire.messaging.broker import connect
from deskwire.messaging.outbox import Outbox
from deskwire.service import until_signalled
from deskwire.web import http_server
from gateway.api import Services, create_app
from gateway.api.auth import PUBLIC, caller, router, scope
from gateway.api.fields import body_of
from gateway.api.tickets import TicketTemplate
from gateway.readmodel.documents import text_of
from gateway.readmodel.writing import keep_both
from gateway.settings import Settings
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers.tickets import Origin, open_ticket

SIGNER = Signer((b"a signing key for the benchmark",), "example.com")


@asynccontextmanager
async def running(settings: Settings, tickets_url: str) -> AsyncIterator[None]:
    async with (
        connect("memory://direct") as broker,
        db.connect(settings.database_url) as read_model,
        db.connect(tickets_url) as database,
    ):
        services = Services(settings, read_model, read_model, broker, open_blobs("memory://"))
        outbox = Outbox(database, broker, service="direct")
        routes = router("/bench", "bench")

        @routes.get("/static")
        @scope(PUBLIC)
        async def static(_request: Request) -> Response:
            return Response(b'{"status":"ok"}', media_type="application/json")

        @routes.post("/tickets", status_code=201)
        @scope("tickets:write")
        async def create(request: Request, new: TicketTemplate) -> Response:
            command = new.command(await body_of(new.body), caller(request))
            async with outbox.transaction() as tx:
                made = await open_ticket(SIGNER, command, tx, Origin())
            await keep_both(read_model, made)
            return Response(text_of(made.ticket), 201, media_type="application/json")

        app = create_app(services)
        app.router.routes.extend(routes.routes)
        config = uvicorn.Config(
            app, port=settings.port, access_log=False, log_config=None, lifespan="off"
        )
        async with http_server(config):
            yield


def main() -> None:
    port, tickets_url, gateway_url = sys.argv[1:]
    settings = Settings(database_url=gateway_url, broker_url="memory://direct", port=int(port))
    uvloop.run(until_signalled("direct", running(settings, tickets_url)))


if __name__ == "__main__":
    main()
