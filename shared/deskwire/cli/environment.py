"""Where the commands find databases and the broker: the same variables that services are given."""

import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deskwire.errors import SetupError
from deskwire.services import SERVICES, Service

if TYPE_CHECKING:  # asyncpg is slow to import
    from deskwire.db import Database

Services = Annotated[
    list[str] | None, typer.Option("--service", metavar="NAME", help="Only this one; repeatable.")
]


def variable(name: str) -> str | None:
    """``DESKWIRE_<name>``, or what is in the file that ``DESKWIRE_<name>_FILE`` names."""
    path = os.environ.get(f"DESKWIRE_{name}_FILE")
    if not path:
        return os.environ.get(f"DESKWIRE_{name}") or None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SetupError(f"DESKWIRE_{name}_FILE: {path}: {error.strerror}") from error


def database_urls(names: Sequence[str] | None = None) -> dict[Service, str]:
    """The databases of the services that were named, or of all that are known here."""
    if told := variable("DATABASE_URLS"):
        return _listed(_parsed(told), names)
    template = variable("DATABASE_URL")
    if template is None:
        raise SetupError(
            "set DESKWIRE_DATABASE_URL, as in postgresql://USER:PASSWORD@HOST/{service}, "
            "or DESKWIRE_DATABASE_URLS"
        )
    chosen = _chosen(names)
    if "{service}" not in template and len(chosen) != 1:
        raise SetupError(
            "DESKWIRE_DATABASE_URL is of one service: say of which with --service, "
            "or write {service} where the database's name is"
        )
    return {service: template.replace("{service}", service.name) for service in chosen}


def database_url(service: Service) -> str:
    return database_urls([service.name])[service]


@asynccontextmanager
async def opened(service: Service, url: str) -> "AsyncIterator[Database]":
    """A service's database, one connection of it."""
    import asyncpg

    from deskwire import db

    async with db.connect(url, size=1) as database:
        try:
            yield database
        except asyncpg.UndefinedTableError as error:
            raise SetupError(
                f"the database of {service.name} has no schema: run `deskwire migrate`"
            ) from error


def broker_url() -> str:
    url = variable("BROKER_URL")
    if url is None:
        raise SetupError("set DESKWIRE_BROKER_URL, as in amqp://USER:PASSWORD@HOST:5672/VHOST")
    return url


def rabbitmq_url() -> str:
    url = broker_url()
    if url.startswith("memory:"):
        raise SetupError("memory:// is inside another process: this command is for RabbitMQ")
    return url


def blob_url() -> str:
    from deskwire.settings import ServiceSettings

    default: str = ServiceSettings.model_fields["blob_url"].default
    return variable("BLOB_URL") or default


@contextmanager
def reaching_rabbitmq(url: str) -> Iterator[None]:
    """What goes wrong is told in one line, and not logged."""
    from deskwire import logs
    from deskwire.messaging.rabbit.session import place

    logs.configure("deskwire", "CRITICAL")
    try:
        yield
    except OSError as error:
        cause = str(error) or type(error).__name__
        raise SetupError(f"RabbitMQ at {place(url)} cannot be reached: {cause}") from error


def _chosen(names: Sequence[str] | None) -> list[Service]:
    """The named services, or those that are installed: an image has one only."""
    if not names:
        return [service for service in SERVICES if service.installed]
    known = {service.name: service for service in SERVICES}
    for name in names:
        if name not in known:
            raise SetupError(f"there is no service {name}: choose among {', '.join(known)}")
    return [known[name] for name in names]


def _parsed(told: str) -> dict[str, str]:
    try:
        urls = json.loads(told)
    except ValueError as error:
        raise SetupError(f"DESKWIRE_DATABASE_URLS is not JSON: {error}") from error
    if not isinstance(urls, dict):
        raise SetupError('DESKWIRE_DATABASE_URLS is no object, as in {"gateway": "postgresql://"}')
    return urls


def _listed(urls: dict[str, str], names: Sequence[str] | None) -> dict[Service, str]:
    chosen = _chosen(names or list(urls))
    for service in chosen:
        if service.name not in urls:
            raise SetupError(f"DESKWIRE_DATABASE_URLS has no {service.name}")
    return {service: urls[service.name] for service in chosen}
