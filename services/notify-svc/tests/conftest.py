"""A running notify-svc on a fresh database, before a real SMTP server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from notify_desk import Desk, Hook, desk_of, settings

from deskwire.local import Smtp
from deskwire.testing import FreshDatabase
from notify_svc.settings import Settings


@pytest.fixture
def database_url(fresh_database: FreshDatabase) -> str:
    return fresh_database("notify_svc")


@pytest.fixture
def told(database_url: str, smtp_server: Smtp) -> Settings:
    return settings(database_url, smtp_server.url)


@pytest.fixture
async def desk(told: Settings) -> AsyncIterator[Desk]:
    async with desk_of(told) as desk:
        yield desk


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0)
    hook.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b"
    async with server:
        yield hook
