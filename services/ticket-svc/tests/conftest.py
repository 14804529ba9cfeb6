"""A running ticket-svc on a fresh database."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from ticket_desk import Desk

from deskwire import db
from deskwire.messaging.broker import connect
from deskwire.testing import FreshDatabase
from deskwire.topology import GATEWAY, MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC
from ticket_svc.main import running
from ticket_svc.settings import Settings


@pytest.fixture
async def desk(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    url = fresh_database("ticket_svc")
    settings = Settings(
        database_url=url,
        broker_url=f"memory://{uuid4()}",
        blob_url=f"file://{tmp_path}/blobs",
        signing_key="a signing key for tests alone",
        mail_domain="example.com",
        health_port=0,
    )
    async with (
        running(settings),
        connect(settings.broker_url) as broker,
        db.connect(url, size=2) as database,
        AsyncExitStack() as ears,
    ):
        desk = Desk(broker, database, url)
        for queue in (GATEWAY, NOTIFY_SVC, MAIL_INGEST_SVC, SCHEDULER_SVC):
            await ears.enter_async_context(broker.consume(queue, desk.hear))
        yield desk
