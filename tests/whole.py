"""All five services, seen only from outside: HTTP, mail in, mail out, and their databases."""

import asyncio
import http.client
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import launching

from deskwire import db
from deskwire.local import free_port
from deskwire.messaging.rabbit import apply_topology
from deskwire.services import SERVICES
from deskwire.testing import FreshDatabase
from deskwire.topology import listeners
from gateway.keys import create_key

PATIENCE = 60.0
SUPPORT = "support@example.com"
TEAM = "team@example.com"
NO_BUDGETS = {"tickets_per_sender": 100_000, "acknowledgements_per_sender": 100_000}
"""Alice writes more in a test than she may in an hour."""

DONE = """
    SELECT consumer, message_id FROM inbox
    UNION ALL SELECT consumer, message_id FROM dead_letters WHERE retry_at IS NULL
"""
EMITTED = "SELECT message_id, type FROM outbox"
UNREAD = "SELECT FROM mails WHERE state = 'fetching' LIMIT 1"
UNSENT = """
    SELECT FROM deliveries WHERE channel = 'mail' AND (state = 'sending'
        OR state IN ('queued', 'uncertain') AND next_attempt_at <= now()) LIMIT 1
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def called(
    port: int, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, told, response.read())
    finally:
        connection.close()


@dataclass
class Whole:
    told: dict[str, Any]
    urls: dict[str, str]
    key: str = ""
    client_id: int = 0
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def api(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        return await asyncio.to_thread(self._call, method, path, body, headers)

    def _call(self, method: str, path: str, body: object, headers: Mapping[str, str]) -> Answer:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        return called(self.told["port"], method, f"/api/v1{path}", payload, sent)

    async def created(self, path: str, body: object, **headers: str) -> Any:
        answer = await self.api("POST", path, body, **headers)
        assert answer.status == 201, answer.body
        return answer.json

    async def tickets(self, query: str = "") -> list[Any]:
        answer = await self.api("GET", f"/tickets?limit=200{query}")
        assert answer.status == 200, answer.body
        return list(answer.json["data"])

    async def introduce(self) -> None:
        """A client with a contact and a domain, an agent, and the team's list."""
        client = await self.created("/clients", {"name": "Example Client"})
        self.client_id = client["id"]
        contact = {"client_id": self.client_id, "name": "Alice", "email": "alice@client.test"}
        await self.created("/contacts", contact | {"primary": True})
        await self.created("/domains", {"client_id": self.client_id, "name": "client.test"})
        await self.created("/agents", {"name": "Ann", "email": "ann@example.com"})
        settings = {"new_ticket_addresses": [TEAM]} | NO_BUDGETS
        changed = await self.api("PATCH", "/settings", settings, If_Match='"1"')
        assert changed.status == 200, changed.body

    async def query(self, service: str, sql: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.urls[service])
        try:
            return await connection.fetch(sql, *values)
        finally:
            await connection.close()

    async def settled(self) -> None:
        """Nothing is on its way any more: every message handled or parked, every mail of the ledger
        read, every mail that is due sent."""
        await until(self._at_rest)

    async def _at_rest(self) -> bool:
        """What is done is asked before what there is to do: with it was committed what follows."""
        done = set(await self._everywhere(DONE))
        if await self.query("mail-ingest-svc", UNREAD) or await self.query("notify-svc", UNSENT):
            return False
        return all(
            (queue.name, message_id) in done
            for message_id, type_ in await self._everywhere(EMITTED)
            for queue in listeners(type_, requests=False)
        )

    async def _everywhere(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that all the databases have."""
        found = await asyncio.gather(*(self.query(service.name, sql) for service in SERVICES))
        return [tuple(row) for rows in found for row in rows]

    async def start(self, name: str) -> None:
        service = next(s for s in SERVICES if s.name == name)
        self.processes[name] = await launching.start(service.package, self.told, self.urls[name])

    async def kill(self, name: str) -> None:
        """SIGKILL: no goodbye."""
        self.processes[name].kill()
        await self.processes[name].wait()

    async def answering(self) -> None:
        await until(self._answers)

    async def _answers(self) -> bool:
        try:
            return (await self.api("GET", "/tickets?limit=1")).status == 200
        except OSError:
            return False


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """The first true answer of a condition that nothing tells the change of."""
    async with asyncio.timeout(seconds):
        while not (answer := await condition()):
            await asyncio.sleep(0.05)
        return answer


def told(broker_url: str, var: Path, **more: object) -> dict[str, Any]:
    return {
        "broker_url": broker_url,
        "blob_url": f"file://{var}/blobs",
        "log_level": "ERROR",
        "mailboxes": [],
        "smtp_url": f"maildir:{launching.maildir(var / 'outbox')}",
        "mail_from": SUPPORT,
        "mail_from_name": "Example Support",
        "mail_domain": "example.com",
        "signing_key": "a signing key for tests alone",
        "link_key": "a link key for tests alone",
        "public_url": "https://desk.example.com",
        "host": "127.0.0.1",
        "port": free_port(),
        "shutdown_seconds": 10,
    } | more


def drop(folder: Path, raw: bytes) -> None:
    """Deliver into a maildir."""
    name = uuid4().hex
    (folder / "tmp" / name).write_bytes(raw)
    (folder / "tmp" / name).rename(folder / "new" / name)


def mail(
    subject: str,
    text: str = "It is on fire.",
    *,
    sender: str = "alice@client.test",
    **headers: str,
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"Somebody <{sender}>"
    message["Subject"] = subject
    message["Message-ID"] = f"<{uuid4()}@client.test>"
    for name, value in ({"To": SUPPORT} | headers).items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message


def ticket_of(subject: str) -> str:
    """TCK-12, from a mail's subject."""
    found = re.search(r"\[(TCK-\d+)\]", subject)
    assert found, subject
    return found[1]


@asynccontextmanager
async def whole(
    fresh_database: FreshDatabase, settings: dict[str, Any], *, as_processes: bool = False
) -> AsyncIterator[Whole]:
    """Everything running, with a key, and the people of `introduce`."""
    urls = {service.name: fresh_database(service.package) for service in SERVICES}
    if settings["broker_url"].startswith("amqp"):
        await apply_topology(settings["broker_url"])
    running = Whole(settings, urls)
    async with db.connect(urls["gateway"], size=1) as database:
        running.key = await create_key(database, name="tests", scopes=["admin"])
    async with _processes(running) if as_processes else launching.one_process(settings, urls):
        await running.answering()
        await running.introduce()
        yield running


@asynccontextmanager
async def _processes(running: Whole) -> AsyncIterator[None]:
    try:
        for service in SERVICES:
            await running.start(service.name)
        yield
    finally:
        for process in running.processes.values():
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in running.processes.values()))
