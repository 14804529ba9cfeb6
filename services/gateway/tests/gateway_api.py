"""The gateway from outside: over HTTP, as its consumers know it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import Message
from http.client import HTTPConnection
from typing import Any
from uuid import uuid4

from deskwire import db
from deskwire.links import Links
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.testing import FreshDatabase
from deskwire.topology import MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC
from gateway.keys import create_key
from gateway.main import running
from gateway.settings import Settings

LINK_KEY = "a link key for tests alone"
LINKS = Links.of(LINK_KEY)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """Calls with one key (empty: none), in a thread of its own each."""

    port: int
    key: str

    def using(self, key: str) -> "Api":
        return replace(self, key=key)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.call("GET", path, None, headers)

    async def post(self, path: str, values: object, **headers: str) -> Answer:
        return await self.send("POST", path, values, **headers)

    async def send(self, method: str, path: str, values: object, **headers: str) -> Answer:
        body = json.dumps(values).encode()
        return await self.call(method, path, body, {"Content-Type": "application/json"} | headers)

    async def made(self, path: str, values: object, **headers: str) -> Any:
        answer = await self.post(path, values, **headers)
        assert answer.status == 201, answer.body
        return answer.json

    async def call(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key:
            sent = {"Authorization": f"Bearer {self.key}"} | sent
        return await asyncio.to_thread(send_now, self.port, method, path, body, sent)

    async def at_once(self, *calls: tuple[str, str, object], **headers: str) -> list[Answer]:
        """Method, path and values of many calls that do not wait for each other. One that is told
        to come later does, with its Idempotency-Key."""
        loop = asyncio.get_running_loop()
        given = {name.replace("_", "-"): value for name, value in headers.items()}

        def one(method: str, path: str, values: object) -> Answer:
            sent = {"X-API-Key": self.key, "Idempotency-Key": uuid4().hex} | given
            while True:
                answer = send_now(self.port, method, path, json.dumps(values).encode(), sent)
                if answer.status != 503:
                    return answer

        with ThreadPoolExecutor(len(calls)) as pool:
            return await asyncio.gather(*(loop.run_in_executor(pool, one, *call) for call in calls))


def send_now(
    port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]
) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class Desk:
    """A running gateway beside a running ticket-svc; ``api`` holds a key for everything."""

    api: Api
    broker: Broker
    database: db.Database

    async def key(self, *scopes: str, **bound: Any) -> Api:
        return self.api.using(await create_key(self.database, "test", scopes=scopes, **bound))


async def ignore(_batch: Sequence[Delivery]) -> None:
    """What nobody listens to would wait in the outbox, and be told of in the log."""


@asynccontextmanager
async def gateway(
    fresh_database: FreshDatabase, broker_url: str, **values: object
) -> AsyncIterator[Desk]:
    given = {
        "database_url": fresh_database("gateway"),
        "broker_url": broker_url,
        "blob_url": "memory://",
        "port": 0,
        "health_port": 0,
        "link_key": LINK_KEY,
    }
    settings = Settings.model_validate(given | values)
    async with (
        db.connect(settings.database_url, size=2) as database,
        connect(broker_url) as broker,
        broker.consume(NOTIFY_SVC, ignore),
        broker.consume(MAIL_INGEST_SVC, ignore),
        broker.consume(SCHEDULER_SVC, ignore),
        running(settings) as server,
    ):
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Desk(Api(port, await create_key(database, "all", scopes=["admin"])), broker, database)


async def eventually(
    ask: Callable[[], Awaitable[Answer]], holds: Callable[[Answer], bool]
) -> Answer:
    """The first answer that holds; projecting takes as long as it takes."""
    async with asyncio.timeout(10):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.01)
        return answer
