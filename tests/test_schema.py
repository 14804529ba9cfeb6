"""Each service's tables, as its statements know them, are those that its migrations make."""

from importlib import import_module
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from deskwire.services import SERVICES
from deskwire.testing import FreshDatabase

METADATA = {
    "ticket-svc": "ticket_svc.store.tables",
    "mail-ingest-svc": "mail_ingest_svc.store.tables",
    "notify-svc": "notify_svc.store.tables",
    "scheduler-svc": "scheduler_svc.store",
    "gateway": "gateway.readmodel.tables",
}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_tables_are_those_of_the_migrations(
    service: Any, fresh_database: FreshDatabase
) -> None:
    url = fresh_database(service.package).replace("postgresql://", "postgresql+asyncpg://")
    metadata: MetaData = import_module(METADATA[service.name]).metadata
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences, metadata) == []
    finally:
        await engine.dispose()


def _differences(connection: Connection, metadata: MetaData) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))
