"""/livez, /readyz and /metrics: asked by orchestrators and by Prometheus."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from deskwire.db import LOST_CONNECTION, Database
from deskwire.messaging.broker import Broker
from deskwire.web import http_server

EVERYWHERE = "0.0.0.0"  # noqa: S104  # asked from outside of the container

Scope = MutableMapping[str, Any]
Answer = tuple[int, str, bytes]


async def readiness(database: Database, broker: Broker) -> tuple[bool, dict[str, str]]:
    """Ready without the database: no. Without the broker: yes, the outbox keeps what is said."""
    checks = {"database": "ok", "broker": "ok" if broker.connected else "away"}
    try:
        async with asyncio.timeout(2):
            await database.pool.fetchval("SELECT 1")
    except (asyncpg.PostgresError, *LOST_CONNECTION):
        checks["database"] = "away"
    return checks["database"] == "ok", checks


async def answer(path: str, database: Database, broker: Broker) -> Answer:
    if path == "/livez":
        return 200, "application/json", b'{"status":"ok"}'
    if path == "/readyz":
        ready, checks = await readiness(database, broker)
        return 200 if ready else 503, "application/json", json.dumps(checks).encode()
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest()
    return 404, "application/json", b'{"status":"not found"}'


@asynccontextmanager
async def serving(port: int, database: Database, broker: Broker) -> AsyncIterator[None]:
    """The health server of a service that has no HTTP of its own. ``port`` 0: none."""
    if not port:
        yield
        return

    async def app(scope: Scope, _receive: object, send: Callable[[Any], Awaitable[None]]) -> None:
        status, kind, body = await answer(scope["path"], database, broker)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(app, host=EVERYWHERE, port=port, lifespan="off", log_config=None)
    async with http_server(config):
        yield
