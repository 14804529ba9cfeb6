"""A running gateway on a fresh database, with a running ticket-svc behind it or nobody."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from gateway_api import Desk, gateway, ignore

from deskwire.messaging.broker import connect
from deskwire.testing import FreshDatabase
from deskwire.topology import TICKET_SVC
from ticket_svc import main as ticket_svc
from ticket_svc.settings import Settings as TicketSettings


@pytest.fixture
def broker_url() -> str:
    return f"memory://{uuid4()}"


@pytest.fixture
def blob_url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/blobs"


@pytest.fixture
async def owner(
    fresh_database: FreshDatabase, broker_url: str, blob_url: str
) -> AsyncIterator[None]:
    """ticket-svc."""
    settings = TicketSettings(
        database_url=fresh_database("ticket_svc"),
        broker_url=broker_url,
        blob_url=blob_url,
        signing_key="a signing key for tests alone",
        mail_domain="example.com",
        health_port=0,
    )
    async with ticket_svc.running(settings):
        yield


@pytest.fixture
async def desk(
    owner: None, fresh_database: FreshDatabase, broker_url: str, blob_url: str
) -> AsyncIterator[Desk]:
    async with gateway(fresh_database, broker_url, blob_url=blob_url) as desk:
        yield desk


@pytest.fixture
async def lonely_desk(fresh_database: FreshDatabase, broker_url: str) -> AsyncIterator[Desk]:
    """A gateway whose writes nobody answers."""
    async with (
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),
        gateway(fresh_database, broker_url, request_seconds=0.1) as desk,
    ):
        yield desk
