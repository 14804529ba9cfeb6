"""A way to a server that can be cut, and databases: with the messaging tables, of each service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from deskwire import db
from deskwire.local import free_port
from deskwire.messaging import schema
from deskwire.messaging.rabbit import apply_topology
from deskwire.services import SERVICES
from deskwire.testing import FreshDatabase, database_url


@pytest.fixture
async def amqp(amqp_url: str) -> str:
    """A RabbitMQ with the topology and nothing in it."""
    await apply_topology(amqp_url)
    return amqp_url


@pytest.fixture
def databases(fresh_database: FreshDatabase) -> dict[str, str]:
    """Of every service, by its name."""
    return {service.name: fresh_database(service.package) for service in SERVICES}


@pytest.fixture(scope="session")
async def messaging_database(postgres_server: str) -> AsyncIterator[str]:
    name = f"messaging_{uuid4().hex}"
    server = await asyncpg.connect(postgres_server)
    await server.execute(f"CREATE DATABASE {name}")
    url = database_url(postgres_server, name)
    connection = await asyncpg.connect(url)
    await connection.execute(schema.CREATE)
    await connection.execute("CREATE TABLE traces (id serial, mail_id bigint, note text)")
    await connection.close()
    yield url
    await server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def dsn(messaging_database: str) -> str:
    """A database with empty messaging tables, and `traces`, where handlers leave some."""
    connection = await asyncpg.connect(messaging_database)
    await connection.execute("TRUNCATE inbox, outbox, dead_letters, traces RESTART IDENTITY")
    await connection.close()
    return messaging_database


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[db.Database]:
    async with db.connect(dsn) as database:
        yield database


class Gate:
    """A TCP way to a server that can be cut and opened again."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._port = free_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        place = f"{parts.username}:{parts.password}@" if parts.password else f"{parts.username}@"
        self.url = parts._replace(netloc=f"{place}127.0.0.1:{self._port}").geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)

    async def shut(self) -> None:
        """Every connection is reset and no new one is taken."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        while self._open:
            await asyncio.sleep(0.01)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._open |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        self._open -= {writer, back}

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()


@pytest.fixture
async def gate(dsn: str) -> AsyncIterator[Gate]:
    """The way to the database of `dsn`."""
    gate = Gate(dsn)
    await gate.open()
    yield gate
    await gate.shut()
