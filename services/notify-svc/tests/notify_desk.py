"""notify-svc from outside: tell it events, look at its mails and hear what it says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

from deskwire import db
from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.base import Message
from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import Delivery, DeliveryChanged
from deskwire.contracts.threads import MailThread
from deskwire.contracts.tickets import Ticket, TicketOpened, TicketReplied
from deskwire.messaging.broker import Broker, connect
from deskwire.messaging.broker import Delivery as Handed
from deskwire.messaging.envelope import wrap
from deskwire.topology import GATEWAY, MAIL_INGEST_SVC, SCHEDULER_SVC, TICKET_SVC
from notify_svc.main import running
from notify_svc.settings import Settings

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
ALICE = Person(id=5, name="Alice", email="alice@client.test")
ANN = Author(type="agent", id=1, name="Ann", email="ann@example.com")


def ticket(**fields: Any) -> Ticket:
    values: dict[str, Any] = {
        "id": 12,
        "number": 12,
        "prefix": "TCK-",
        "reference": "TCK-12",
        "subject": "Printer on fire",
        "body": Body(text="It burns."),
        "status": "open",
        "priority": "low",
        "source": "email",
        "client": Named(id=3, name="Client Ltd"),
        "contact": ALICE,
        "entry_count": 1,
        "created_at": NOON,
        "created_by": Author(type="contact", id=5, name="Alice", email="alice@client.test"),
        "updated_at": NOON,
        "version": 1,
    }
    return Ticket(**values | fields)


def entry(entry_id: int, **fields: Any) -> Entry:
    values: dict[str, Any] = {
        "id": entry_id,
        "ticket_id": 12,
        "origin_ticket_id": 12,
        "kind": "public",
        "author": ANN,
        "body": Body(text="Water is on its way."),
        "via": "api",
        "created_at": NOON,
    }
    return Entry(**values | fields)


def thread(entry_id: int, *references: str) -> MailThread:
    token = f"e{entry_id}-abcdefghijklmnop"
    return MailThread(
        token=token,
        message_id=f"<{token}@mail.example.com>",
        in_reply_to=references[-1] if references else None,
        references=references,
    )


def opened(entry_id: int = 1, *, team: Sequence[str] = (), **fields: Any) -> TicketOpened:
    notify_client = fields.pop("notify_client", True)
    about = ticket(**fields)
    first = entry(entry_id, kind="client", author=about.created_by, body=about.body, opening=True)
    return TicketOpened(
        ticket=about,
        entry=first,
        thread=thread(entry_id, "<first@client.test>"),
        notify_client=notify_client,
        team=tuple(team),
    )


def replied(
    entry_id: int = 2,
    *,
    watchers: Sequence[str] = (),
    contact: Person | None = ALICE,
    **fields: Any,
) -> TicketReplied:
    return TicketReplied(
        ticket=ticket(watchers=tuple(watchers), contact=contact),
        entry=entry(entry_id, **fields),
        thread=thread(entry_id, "<first@client.test>", "<e1-abcdefghijklmnop@mail.example.com>"),
    )


def parsed(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


class Desk:
    def __init__(self, broker: Broker, database: db.Database) -> None:
        self.broker = broker
        self.database = database
        self.told: list[Delivery] = []
        self.heard_all: list[Message] = []
        self._changed = asyncio.Event()

    async def tell(self, event: Message, *, id: UUID | None = None) -> None:
        """Returns when its deliveries are committed."""
        await self.broker.publish(wrap(event, id=id))

    async def hear(self, batch: Sequence[Handed]) -> None:
        for handed in batch:
            message = handed.envelope.message
            self.heard_all.append(message)
            if isinstance(message, DeliveryChanged):
                self.told.append(message.delivery)
        self._changed.set()

    async def heard(self, condition: Callable[[Delivery], bool], *, count: int = 1) -> Delivery:
        """The last of ``count`` deliveries that were told of, as wanted."""
        async with asyncio.timeout(20):
            while len(found := [one for one in self.told if condition(one)]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found[-1]

    async def hears(self, kind: type[Message], *, count: int) -> None:
        """Returns when so many events of a kind were told."""
        async with asyncio.timeout(20):
            while len([one for one in self.heard_all if isinstance(one, kind)]) < count:
                self._changed.clear()
                await self._changed.wait()

    async def state(self, state: str, *, count: int = 1) -> Delivery:
        return await self.heard(lambda delivery: delivery.state == state, count=count)

    async def rows(self) -> list[dict[str, Any]]:
        found = await self.database.pool.fetch("SELECT * FROM deliveries ORDER BY id")
        return [dict(row) for row in found]

    async def run(self, sql: str) -> None:
        await self.database.pool.execute(sql)

    async def make_due(self) -> None:
        await self.run("UPDATE deliveries SET next_attempt_at = now() WHERE state <> 'sent'")


class Hook:
    """A server that keeps what it is told; ``answers`` are those of the next calls."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[str] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
            }
            body = await reader.readexactly(int(headers["content-length"]))
            self.told.append((headers, body))
            answer = self.answers.pop(0) if self.answers else "200 OK"
            writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\nhi".encode())
            await writer.drain()
        finally:
            writer.close()

    @property
    def events(self) -> list[Any]:
        return [json.loads(body) for _, body in self.told]


def settings(database_url: str, smtp_url: str, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "database_url": database_url,
        "broker_url": f"memory://{uuid4()}",
        "blob_url": "memory://",
        "smtp_url": smtp_url,
        "mail_from": "support@example.com",
        "mail_from_name": "Example Support",
        "health_port": 0,
        "shutdown_seconds": 5,
    }
    return Settings(**values | more)


@asynccontextmanager
async def desk_of(told: Settings) -> AsyncIterator[Desk]:
    """A running notify-svc."""
    async with (
        connect(told.broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),  # the other owners have nothing to tell
        broker.consume(SCHEDULER_SVC, ignore),
        broker.consume(MAIL_INGEST_SVC, ignore),
        running(told),
        db.connect(told.database_url, size=2) as database,
    ):
        desk = Desk(broker, database)
        async with broker.consume(GATEWAY, desk.hear):
            yield desk


async def ignore(_batch: Sequence[Handed]) -> None:
    pass
