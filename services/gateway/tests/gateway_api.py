"""The gateway from outside: over HTTP, as its consumers know it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from email.message import Message
from http.client import HTTPConnection
from typing import Any

from deskwire import db
from deskwire.messaging.broker import Broker
from gateway.keys import create_key


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
        body = json.dumps(values).encode()
        return await self.call("POST", path, body, {"Content-Type": "application/json"} | headers)

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
        return await asyncio.to_thread(_call, self.port, method, path, body, sent)


def _call(port: int, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
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


async def eventually(
    ask: Callable[[], Awaitable[Answer]], holds: Callable[[Answer], bool]
) -> Answer:
    """The first answer that holds; projecting takes as long as it takes."""
    async with asyncio.timeout(10):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.01)
        return answer
