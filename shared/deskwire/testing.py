"""The pytest plugin: fixtures with real servers, looked for in the environment, on this machine,
in containers. A test whose server is nowhere is skipped loudly, and fails where ``CI`` is true."""

import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

if TYPE_CHECKING:  # every pytest run loads this module: its imports are in the fixtures
    from deskwire.local import Dovecot, Smtp

FreshDatabase = Callable[..., str]

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
"""Bytes that must be free in memory for the tests' files."""


def pytest_configure() -> None:
    """Files that live for one test live in memory where there is room: each test has databases of
    its own, and to make one of 300 files takes a disk's file system five times as long."""
    import tempfile

    if "TMPDIR" not in os.environ and _room(MEMORY) >= ROOM:
        os.environ["TMPDIR"] = str(MEMORY)  # also of what the tests start
        tempfile.tempdir = None


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[str]:
    """A superuser's URL."""
    if url := os.environ.get("DESKWIRE_TEST_POSTGRES_URL"):
        yield url
        return
    from deskwire import local

    if local.postgres_available():
        with local.postgres(server_folder / "postgres", durable=False) as url:
            yield url
    elif _docker():
        with _postgres_container() as url:
            yield url
    else:
        _missing("PostgreSQL", "postgresql", "DESKWIRE_TEST_POSTGRES_URL")


@pytest.fixture(scope="session")
def rabbitmq_server(server_folder: Path) -> Iterator[Any]:
    """A broker with ``url`` and, where it is local, the controls of `deskwire.local.RabbitMQ`."""
    if url := os.environ.get("DESKWIRE_TEST_AMQP_URL"):
        yield RemoteBroker(url)
        return
    from deskwire import local

    if local.rabbitmq_available():
        with local.rabbitmq(server_folder / "rabbitmq") as node:
            yield node
    elif _docker():
        with _rabbitmq_container() as url:
            yield RemoteBroker(url)
    else:
        _missing("RabbitMQ", "rabbitmq-server", "DESKWIRE_TEST_AMQP_URL")


@pytest.fixture(scope="session")
def dovecot_server(server_folder: Path) -> "Iterator[Dovecot | RemoteMailbox]":
    """A mail server with ``url(user)`` and, where it is local, all of `deskwire.local.Dovecot`."""
    if url := os.environ.get("DESKWIRE_TEST_IMAP_URL"):
        yield RemoteMailbox(url)
        return
    from deskwire import local

    if local.dovecot_available():
        with local.dovecot(server_folder / "dovecot") as server:
            yield server
    else:
        _missing("Dovecot", "dovecot-imapd openssl", "DESKWIRE_TEST_IMAP_URL")


@pytest.fixture
def smtp_server() -> "Iterator[Smtp]":
    """An SMTP server that keeps what it takes and refuses as its ``script`` says."""
    from deskwire.local import smtp

    with smtp() as server:
        yield server


@pytest.fixture
def amqp_url(rabbitmq_server: Any) -> str:
    """A broker with nothing declared. A local node gives each test a virtual host of its own,
    which takes milliseconds; a remote one has its queues of the topology deleted instead."""
    url: str = rabbitmq_server.vhost(f"test-{uuid4().hex}")
    return url


@pytest.fixture
def fresh_database(postgres_server: str, _templates: dict[str, str]) -> Iterator[FreshDatabase]:
    """``fresh_database(package)``: the URL of a new database with that service's schema,
    copied from one that was migrated once; without a package it is empty."""
    made: list[str] = []

    def make(package: str | None = None) -> str:
        template = _template(postgres_server, _templates, package) if package else "template1"
        made.append(f"test_{uuid4().hex}")
        copy = f'CREATE DATABASE "{made[-1]}" TEMPLATE "{template}" STRATEGY file_copy'
        _run(_execute(postgres_server, copy))
        return database_url(postgres_server, made[-1])

    yield make
    _run(_drop(postgres_server, made))


@pytest.fixture(scope="session")
def _templates(postgres_server: str) -> Iterator[dict[str, str]]:
    templates: dict[str, str] = {}
    yield templates
    _run(_drop(postgres_server, list(templates.values())))


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Not pytest's own, which only its user may enter, and whose path is long."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="deskwire-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


class RemoteBroker:
    """A broker that is not ours to start or stop."""

    def __init__(self, url: str) -> None:
        self.url = url

    def vhost(self, _name: str) -> str:
        from deskwire.messaging.rabbit import remove_topology

        _run(remove_topology(self.url))
        return self.url


class RemoteMailbox:
    """An IMAP server that is not ours; ``{user}`` in its URL stands for the user."""

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self, user: str) -> str:
        from urllib.parse import quote

        return self._url.replace("{user}", quote(user, safe=""))


def database_url(server: str, name: str) -> str:
    """The same server and user, another database."""
    from urllib.parse import urlsplit

    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _template(server: str, templates: dict[str, str], package: str) -> str:
    if package not in templates:
        from deskwire.db import migrate

        name = f"template_{uuid4().hex}"
        _run(_execute(server, f'CREATE DATABASE "{name}"'))
        templates[package] = name
        _run(migrate(database_url(server, name), package))
    return templates[package]


async def _drop(server: str, names: list[str]) -> None:
    await _execute(server, *(f'DROP DATABASE "{name}" WITH (FORCE)' for name in names))


async def _execute(server: str, *statements: str) -> None:
    import asyncpg

    if not statements:
        return
    connection = await asyncpg.connect(server)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """From synchronous code that may itself be called by a running loop."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def _room(folder: Path) -> int:
    """Bytes that are free there; 0 where there is no such folder."""
    import shutil

    return shutil.disk_usage(folder).free if os.access(folder, os.W_OK) else 0


def _docker() -> bool:
    """Whether a Docker engine answers."""
    import docker  # type: ignore[import-untyped]  # comes with testcontainers, without types

    try:
        client = docker.from_env(timeout=5)
    except docker.errors.DockerException:
        return False
    client.close()
    return True


@contextmanager
def _postgres_container() -> Iterator[str]:
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer("postgres:17", driver=None) as container:
        yield container.get_connection_url()


@contextmanager
def _rabbitmq_container() -> Iterator[str]:
    from testcontainers.rabbitmq import RabbitMqContainer

    with RabbitMqContainer("rabbitmq:4") as container:
        host, port = container.get_container_host_ip(), container.get_exposed_port(5672)
        yield f"amqp://guest:guest@{host}:{port}/"


def _missing(what: str, packages: str, variable: str) -> NoReturn:
    message = f"no {what} here: install {packages}, start a Docker engine, or set {variable}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
