"""A running gateway on a fresh database, with a running ticket-svc behind it or nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from gateway_api import Api, Desk

from deskwire import db
from deskwire.messaging.broker import connect
from deskwire.testing import FreshDatabase
from gateway.keys import create_key
from gateway.main import running
from gateway.settings import Settings
from ticket_svc import main as ticket_svc
from ticket_svc.settings import Settings as TicketSettings


@asynccontextmanager
async def gateway(
    fresh_database: FreshDatabase, broker_url: str, **values: object
) -> AsyncIterator[Desk]:
    given = {
        "database_url": fresh_database("gateway"),
        "broker_url": broker_url,
        "blob_url": "memory://",
        "port": 0,
    }
    settings = Settings.model_validate(given | values)
    async with (
        db.connect(settings.database_url, size=2) as database,
        connect(broker_url) as broker,
        running(settings) as server,
    ):
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Desk(Api(port, await create_key(database, "all", scopes=["admin"])), broker, database)


@pytest.fixture
def broker_url() -> str:
    return f"memory://{uuid4()}"


@pytest.fixture
async def owner(fresh_database: FreshDatabase, broker_url: str) -> AsyncIterator[None]:
    """ticket-svc."""
    settings = TicketSettings(
        database_url=fresh_database("ticket_svc"),
        broker_url=broker_url,
        signing_key="a signing key for tests alone",
        mail_domain="example.com",
        health_port=0,
    )
    async with ticket_svc.running(settings):
        yield


@pytest.fixture
async def desk(owner: None, fresh_database: FreshDatabase, broker_url: str) -> AsyncIterator[Desk]:
    async with gateway(fresh_database, broker_url) as desk:
        yield desk


@pytest.fixture
async def lonely_desk(
    fresh_database: FreshDatabase, broker_url: str, tmp_path: Path
) -> AsyncIterator[Desk]:
    """A gateway whose writes nobody answers."""
    async with gateway(
        fresh_database, broker_url, request_seconds=0.1, blob_url=f"file://{tmp_path}"
    ) as desk:
        yield desk
