"""ticket-svc from outside: ask it, send it mail, hear its events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from deskwire import db
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Command, Message, Reply
from deskwire.contracts.mail import Address, Body, MailHandled, MailReceived
from deskwire.contracts.people import CreateClient, CreateContact, CreateDomain
from deskwire.contracts.settings import SettingChanges, Settings, UpdateSettings
from deskwire.contracts.ticket_commands import AddEntry, OpenTicket, TicketEntry
from deskwire.contracts.tickets import TicketReplied
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.messaging.envelope import wrap
from deskwire.messaging.requests import ask
from deskwire.topology import GATEWAY, MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC
from ticket_svc.main import running
from ticket_svc.settings import Settings as TicketSettings

AGENT = Author(type="agent", id=1, name="Ann")
ACTOR = Actor(author=AGENT, through=Through(type="key", id=3))

M = TypeVar("M", bound=Message)


class Desk:
    """A running ticket-svc, and ears that hear everything it says."""

    def __init__(self, broker: Broker, database: db.Database, database_url: str) -> None:
        self.broker = broker
        self.database = database
        self.database_url = database_url
        self.heard: list[Message] = []
        self._changed = asyncio.Event()
        self._mail_ids = count(1)

    async def hear(self, batch: Sequence[Delivery]) -> None:
        self.heard.extend(delivery.envelope.message for delivery in batch)
        self._changed.set()

    async def ask(self, command: Command[Reply]) -> Reply:
        return (await ask(self.broker, command)).reply

    async def next(
        self, kind: type[M], *, after: int = 0, where: Callable[[M], bool] = lambda _: True
    ) -> M:
        """The first event of a kind, waiting for it."""
        async with asyncio.timeout(10):
            while True:
                for event in self.heard[after:]:
                    if isinstance(event, kind) and where(event):
                        return event
                self._changed.clear()
                await self._changed.wait()

    async def mail(self, sender: str | Address | None, **fields: object) -> MailHandled:
        """Send a mail as mail-ingest-svc would, and wait for what became of it."""
        mail_id = next(self._mail_ids)
        if isinstance(sender, str):
            sender = Address(email=sender, name=sender.partition("@")[0].title())
        values: dict[str, object] = {
            "mail_id": mail_id,
            "mailbox": "support",
            "message_id": f"<{uuid4()}@client.test>",
            "sender": sender,
            "received_at": datetime.now(UTC),
            "subject": "Printer",
            "body": Body(text="It is on fire."),
        }
        await self.broker.publish(wrap(MailReceived.model_validate(values | fields)))
        return await self.next(MailHandled, where=lambda handled: handled.mail_id == mail_id)

    async def client(self, name: str = "Example Client", domain: str = "client.test") -> int:
        """A client with Alice as its primary contact and a registered domain."""
        client = await self.ask(CreateClient(name=name))
        await self.ask(
            CreateContact(client_id=client.id, name="Alice", email=f"alice@{domain}", primary=True)
        )
        await self.ask(CreateDomain(client_id=client.id, name=domain))
        return client.id

    async def answered(self, client_id: int | None = None, **fields: object) -> TicketReplied:
        """A ticket of Alice's that an agent has answered."""
        heard = len(self.heard)
        opened = await self.open(client_id or await self.client())
        values: dict[str, object] = {
            "ticket_id": opened.ticket.id,
            "kind": "public",
            "body": Body(text="?"),
            "author": AGENT,
        }
        await self.ask(AddEntry.model_validate(values | fields))
        return await self.next(TicketReplied, after=heard)

    async def settings(self, **changes: object) -> Settings:
        """Change the instance's settings, whatever they are now."""
        seen = await self.database.pool.fetchval("SELECT version FROM settings")
        wanted = SettingChanges.model_validate(changes)
        return await self.ask(UpdateSettings(changes=wanted, if_version=seen, actor=ACTOR))

    async def open(self, client_id: int | None = None, **fields: object) -> TicketEntry:
        values = {"subject": "Printer", "body": Body(text="It is on fire."), "client_id": client_id}
        return await self.ask(OpenTicket.model_validate(values | fields))


def told(database_url: str, folder: Path, **more: object) -> TicketSettings:
    values: dict[str, object] = {
        "database_url": database_url,
        "broker_url": f"memory://{uuid4()}",
        "blob_url": f"file://{folder}/blobs",
        "signing_key": "a signing key for tests alone",
        "mail_domain": "example.com",
        "health_port": 0,
    }
    return TicketSettings.model_validate(values | more)


@asynccontextmanager
async def working(settings: TicketSettings) -> AsyncIterator[Desk]:
    async with (
        running(settings),
        connect(settings.broker_url) as broker,
        db.connect(settings.database_url, size=2) as database,
        AsyncExitStack() as ears,
    ):
        desk = Desk(broker, database, settings.database_url)
        for queue in (GATEWAY, NOTIFY_SVC, MAIL_INGEST_SVC, SCHEDULER_SVC):
            await ears.enter_async_context(broker.consume(queue, desk.hear))
        yield desk
