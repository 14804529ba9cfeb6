"""The gateway and ticket-svc for `test_lives.py`, which asks step by step and waits for nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from itertools import count
from threading import Event, Thread
from typing import Any, TypeVar
from uuid import uuid4

from whole import NO_BUDGETS

from deskwire import db
from deskwire.contracts.mail import Address, Body, MailHandled, MailReceived
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.messaging.envelope import wrap
from deskwire.topology import MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC
from gateway import main as gateway
from gateway.keys import create_key
from gateway.settings import Settings as GatewaySettings
from ticket_svc import main as ticket_svc
from ticket_svc.domain.threads import Signer
from ticket_svc.settings import Settings as TicketSettings

SIGNING_KEY = "a signing key for tests alone"

Result = TypeVar("Result")


class Server:
    """The gateway and ticket-svc in a thread of their own, asked over one connection."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.clients: list[int] = []
        self.agents: list[int] = []
        self._handled: dict[int, Future[MailHandled]] = {}
        self._mail_ids = count(1)
        self._up = Event()
        self._broker: Broker
        self._loop: asyncio.AbstractEventLoop
        self._connection: HTTPConnection | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = Thread(target=asyncio.run, args=[self._serve()])
        thread.start()
        try:
            assert self._up.wait(60), "the services did not start"
            self._introduce()
            yield
        finally:
            self._loop.call_soon_threadsafe(self._done.set)
            thread.join()

    async def _serve(self) -> None:
        self._loop, self._done = asyncio.get_running_loop(), asyncio.Event()
        async with self._services() as (port, key, broker):
            self._port, self._key, self._broker = port, key, broker
            self._up.set()
            await self._done.wait()

    @asynccontextmanager
    async def _services(self) -> AsyncIterator[tuple[int, str, Broker]]:
        common = {"broker_url": f"memory://{uuid4()}", "health_port": 0, "log_level": "ERROR"}
        owner = TicketSettings.model_validate(
            common
            | {"database_url": self.urls["ticket_svc"], "signing_key": SIGNING_KEY}
            | {"mail_domain": "example.com"}
        )
        edge = GatewaySettings.model_validate(
            common | {"database_url": self.urls["gateway"], "blob_url": "memory://", "port": 0}
        )
        async with (
            connect(owner.broker_url) as broker,
            broker.consume(NOTIFY_SVC, ignore),
            broker.consume(SCHEDULER_SVC, ignore),
            broker.consume(MAIL_INGEST_SVC, self._hear),
            ticket_svc.running(owner),
            gateway.running(edge) as server,
            db.connect(edge.database_url, size=1) as database,
        ):
            key = await create_key(database, "tests", scopes=["admin"])
            yield server.servers[0].sockets[0].getsockname()[1], key, broker

    def _introduce(self) -> None:
        """Two clients with a contact each, two agents, one of whom asks from now on."""
        for name in ("acme", "initech"):
            made = self.made("/clients", {"name": name})
            person = {"client_id": made["id"], "name": name, "email": f"ann@{name}.test"}
            self.made("/contacts", person | {"primary": True})
            self.clients.append(made["id"])
        for name in ("Bob", "Carol"):
            agent = {"name": name, "email": f"{name}@example.com"}
            self.agents.append(self.made("/agents", agent)["id"])
        assert self.ask("PATCH", "/settings", NO_BUDGETS, If_Match='"1"')[0] == 200
        bobs = {"name": "Bob", "scopes": ["admin"], "agent_id": self.agents[0]}
        self._key = self.made("/keys", bobs)["key"]

    def made(self, path: str, body: object) -> Any:
        status, made, _ = self.ask("POST", path, body)
        assert status == 201, made
        return made

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, document and headers of the answer."""
        sent = {"X-API-Key": self._key, "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            return self._ask(method, path, body, sent)
        except (HTTPException, OSError):  # it was closed while nobody asked
            self._connection = None
            return self._ask(method, path, body, sent)

    def _ask(
        self, method: str, path: str, body: object, headers: dict[str, str]
    ) -> tuple[int, Any, Any]:
        if self._connection is None:
            self._connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        raw = None if body is None else json.dumps(body)
        self._connection.request(method, f"/api/v1{path}", raw, headers)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read() or b"null"), response.headers

    def mail(self, sender: str, answers: int, text: str) -> MailHandled:
        """A mail that answers an entry, as mail-ingest-svc would tell of it."""
        mail = MailReceived(
            mail_id=next(self._mail_ids),
            mailbox="support",
            message_id=f"<{uuid4()}@client.test>",
            sender=Address(email=sender),
            received_at=datetime.now(UTC),
            references=(Signer((SIGNING_KEY.encode(),), "example.com").message_id(answers),),
            body=Body(text=text),
        )
        handled = self._handled[mail.mail_id] = Future[MailHandled]()
        self.run(self._broker.publish(wrap(mail)))
        return handled.result(20)

    async def _hear(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            message = delivery.envelope.message
            if isinstance(message, MailHandled):
                self._handled[message.mail_id].set_result(message)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def replay(self) -> None:
        self.run(self._broker.publish(wrap(ReplayDocuments())))


async def ignore(_batch: Sequence[Delivery]) -> None:
    """What nobody listens to would wait in the outbox."""
