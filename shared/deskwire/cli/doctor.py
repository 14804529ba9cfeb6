"""`deskwire doctor`: what an operator would look at one by one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import typer

from deskwire.cli.app import reason
from deskwire.cli.environment import (
    Services,
    blob_url,
    broker_url,
    database_urls,
    opened,
    reaching_rabbitmq,
)
from deskwire.cli.output import say
from deskwire.errors import SetupError
from deskwire.services import MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC, Service

if TYPE_CHECKING:
    from deskwire.db import Database

LARGEST_SKEW = 2.0  # seconds
OLDEST_IN_OUTBOX = 60.0  # seconds
LONGEST_LATE = 60.0  # seconds
LONGEST_UNSENT = 3600.0  # seconds
NOTHING_TO_SEE = "memory:// is inside another process"

Check = Callable[[], Awaitable[str]]
Look = Callable[[Service, "Database"], Awaitable[str]]


def doctor(*, service: Services = None) -> None:
    """Look at everything; one line a check, exit code 1 when one of them fails."""
    if not asyncio.run(_examine(_checks(service))):
        raise typer.Exit(1)


async def _examine(checks: list[tuple[str, Check]]) -> bool:
    healthy = True
    for title, check in checks:
        try:
            say(f"ok    {title}: {await check()}")
        except Exception as error:
            healthy = False
            say(f"FAIL  {title}: {reason(error)}")
    return healthy


def _checks(names: list[str] | None) -> list[tuple[str, Check]]:
    checks: list[tuple[str, Check]] = []
    for service, url in database_urls(names).items():
        checks.append((f"{service.name} settings", partial(_settings, service, url)))
        for title, look in (DATABASE_CHECKS | OWN_CHECKS.get(service.name, {})).items():
            checks.append((f"{service.name} {title}", partial(_on_database, service, url, look)))
    return [*checks, *OTHER_CHECKS.items()]


async def _settings(service: Service, url: str) -> str:
    from pydantic import ValidationError

    try:
        service.module("settings").Settings(database_url=url)
    except ValidationError as error:
        wrong = [f"DESKWIRE_{e['loc'][0]!s}".upper() + f" {e['msg']}" for e in error.errors()]
        raise SetupError(", ".join(wrong)) from error
    return "complete"


async def _on_database(service: Service, url: str, look: Look) -> str:
    async with opened(service, url) as database:
        return await look(service, database)


async def _schema(service: Service, database: "Database") -> str:
    from deskwire.migrations.runner import script_directory

    there = await database.pool.fetchval("SELECT version_num FROM alembic_version")
    newest = script_directory(service.package).get_current_head()
    if there != newest:
        raise SetupError(f"it has schema {there}, not {newest}: run `deskwire migrate`")
    return f"reached, schema {there} is the newest"


async def _clock(_service: Service, database: "Database") -> str:
    started = time.monotonic()
    told: datetime = await database.pool.fetchval("SELECT clock_timestamp()")
    uncertain = time.monotonic() - started
    skew = abs((told - datetime.now(UTC)).total_seconds())
    if skew > LARGEST_SKEW + uncertain:
        raise SetupError(f"it differs by {skew:.1f} s from the clock here: is NTP running on both?")
    return f"within {LARGEST_SKEW:.0f} s of the clock here"


async def _outbox(_service: Service, database: "Database") -> str:
    from deskwire.messaging.outbox import BACKLOG

    backlog = await database.fetch_one(BACKLOG)
    pending, oldest = backlog or (0, 0.0)
    if oldest > OLDEST_IN_OUTBOX:
        raise SetupError(f"{pending} messages wait, the oldest for {oldest:.0f} s: is it running?")
    return f"{pending} messages wait"


async def _dead_letters(_service: Service, database: "Database") -> str:
    count = "SELECT count(*) FILTER (WHERE retry_at IS NULL), count(retry_at) FROM dead_letters"
    parked, retrying = await database.pool.fetchrow(count) or (0, 0)
    if parked:
        raise SetupError(f"{parked} were given up: see `deskwire dlq list`")
    return f"none, {retrying} to be tried again"


async def _due(service: Service, database: "Database") -> str:
    wait = await database.fetch_value(service.module("store").UNTIL_NEXT)
    if wait is not None and wait < -LONGEST_LATE:
        raise SetupError(f"what is due waits for {-wait:.0f} s: is it running?")
    return "nothing is late"


async def _mails_in(_service: Service, database: "Database") -> str:
    count = """
        SELECT count(*) FILTER (WHERE state = 'failed'),
               count(*) FILTER (WHERE state = 'quarantined')
        FROM mails WHERE state IN ('failed', 'quarantined')
        """
    failed, quarantined = await database.pool.fetchrow(count) or (0, 0)
    if failed:
        raise SetupError(f"{failed} cannot be read: see `deskwire mail inbound --state failed`")
    look = ": see `deskwire mail inbound --state quarantined`" if quarantined else ""
    return f"{quarantined} are quarantined{look}"


async def _mails_out(_service: Service, database: "Database") -> str:
    tried = """
        SELECT count(*), coalesce(extract(epoch FROM now() - min(queued_at)), 0),
               (array_agg(answer ORDER BY queued_at))[1]
        FROM deliveries WHERE state = 'queued' AND channel = 'mail' AND attempts > 0
        """
    waiting, oldest, answer = await database.pool.fetchrow(tried) or (0, 0, None)
    if oldest > LONGEST_UNSENT:
        hours = f"{oldest / 3600:.0f} h"
        raise SetupError(f"{waiting} to be tried again, the oldest for {hours}: {answer}")
    return f"{waiting} to be tried again"


async def _topology() -> str:
    from deskwire.messaging.rabbit import check_topology

    if (url := broker_url()).startswith("memory:"):
        return NOTHING_TO_SEE
    with reaching_rabbitmq(url):
        missing = await check_topology(url)
    if missing:
        raise SetupError(f"{', '.join(missing)} missing: run `deskwire topology apply`")
    return "reached, all queues are there"


async def _queues() -> str:
    waiting = {name: depth for name, depth in (await _depths()).items() if depth}
    return ", ".join(f"{depth} in {name}" for name, depth in waiting.items()) or "empty"


async def _dead_queues() -> str:
    dead = {name: depth for name, depth in (await _depths()).items() if name.endswith(".dead")}
    if any(dead.values()):
        full = ", ".join(f"{depth} in {name}" for name, depth in dead.items() if depth)
        raise SetupError(f"{full}: RabbitMQ gave them up")
    return "empty"


async def _depths() -> dict[str, int]:
    from deskwire.messaging.rabbit import depths

    if (url := broker_url()).startswith("memory:"):
        return {}
    with reaching_rabbitmq(url):
        return await depths(url)


async def _blobs() -> str:
    from deskwire.blobs import BlobError, open_blobs, why

    url = blob_url()
    blobs = open_blobs(url)
    try:
        await blobs.get(await blobs.put(b"deskwire doctor"))
    except BlobError as error:
        raise SetupError(f"{url} cannot be written and read: {why(error)}") from error
    return f"{url} can be written and read"


DATABASE_CHECKS: dict[str, Look] = {
    "database": _schema,
    "clock": _clock,
    "outbox": _outbox,
    "dead letters": _dead_letters,
}
OWN_CHECKS: dict[str, dict[str, Look]] = {
    MAIL_INGEST_SVC.name: {"mails": _mails_in},
    NOTIFY_SVC.name: {"mails": _mails_out},
    SCHEDULER_SVC.name: {"schedules and alarms": _due},
}
OTHER_CHECKS: dict[str, Check] = {
    "broker": _topology,
    "queues": _queues,
    "dead-letter queues": _dead_queues,
    "blob store": _blobs,
}
