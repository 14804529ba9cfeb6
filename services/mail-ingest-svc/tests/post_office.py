"""mail-ingest-svc from outside: its mailboxes, its ledger, and ears in ticket-svc's place."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

from deskwire import db
from deskwire.blobs import Blobs, open_blobs
from deskwire.contracts.mail import InboundChanged, InboundMail, MailReceived
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.topology import GATEWAY, TICKET_SVC
from mail_ingest_svc.main import running
from mail_ingest_svc.settings import Settings
from mail_ingest_svc.store import ledger

Row = dict[str, Any]

# memory:// has a message published once its listeners have handled it
UNTOLD = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"


def a_mail(subject: str = "Printer", text: str = "It is on fire.", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = "Jane Doe <jane@example.org>"
    message["To"] = "support@example.com"
    message["Subject"] = subject
    message["Date"] = "Mon, 2 Mar 2026 09:00:00 +0100"
    message["Message-ID"] = f"<{uuid4()}@example.org>"
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


class Maildir:
    """Where a test drops mails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"maildir:{path}"
        for folder in ("tmp", "new", "cur"):
            (path / folder).mkdir(parents=True)

    def drop(self, raw: bytes, name: str | None = None) -> str:
        name = name or uuid4().hex
        written = self.path / "tmp" / uuid4().hex
        written.write_bytes(raw)
        written.rename(self.path / "new" / name)
        return name

    def waiting(self) -> list[str]:
        return sorted(entry.name for entry in (self.path / "new").iterdir())

    def moved(self, folder: str = "Processed") -> list[bytes]:
        place = self.path / f".{folder}" / "cur"
        return [file.read_bytes() for file in place.iterdir()] if place.exists() else []


class PostOffice:
    """A database and a broker; the service is started and ended on them by `open`."""

    def __init__(
        self, database: db.Database, broker: Broker, settings: Settings, *, deaf: bool
    ) -> None:
        self.deaf = deaf
        self.database = database
        self.broker = broker
        self.heard: list[MailReceived] = []
        self.told: dict[int, InboundMail] = {}
        self.blobs: Blobs = open_blobs(settings.blob_url)
        self.blob_url, self.database_url = settings.blob_url, settings.database_url
        self._settings = settings
        self._changed = asyncio.Event()

    def open(self, *mailboxes: str, **settings: object) -> AbstractAsyncContextManager[None]:
        """The running service, reading these mailboxes."""
        changed = {"mailboxes": list(mailboxes), **settings}
        return running(self._settings.model_copy(update=changed))

    async def hear(self, batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            message = delivery.envelope.message
            assert isinstance(message, MailReceived)
            self.heard.append(message)
        self._changed.set()

    async def hear_ledger(self, batch: Sequence[Delivery]) -> None:
        """As the gateway does: the newest version of each row."""
        for delivery in batch:
            message = delivery.envelope.message
            assert isinstance(message, InboundChanged)
            known = self.told.get(message.mail.id)
            if known is None or known.version < message.mail.version:
                self.told[message.mail.id] = message.mail

    async def mails(self, count: int) -> list[MailReceived]:
        """All that was told of, once it is so many."""
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()
        return sorted(self.heard, key=lambda heard: heard.mail_id)

    async def mail(self) -> MailReceived:
        return (await self.mails(1))[0]

    async def ledger(self, *states: str) -> list[Row]:
        """All rows, oldest first, once these are their states, all mails were moved and all that
        was to be told of them was heard."""
        rows = await self.rows(
            lambda rows: (
                [row["state"] for row in rows] == list(states)
                and all(row["flagged_at"] for row in rows)
            )
        )
        async with asyncio.timeout(20):
            while not self.deaf and await self.database.pool.fetchval(UNTOLD):
                await asyncio.sleep(0.01)
        return rows

    async def rows(self, expected: Callable[[list[Row]], bool]) -> list[Row]:
        rows: list[Row] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                while not expected(
                    rows := list(reversed(await ledger.recent(self.database, limit=9999)))
                ):
                    await asyncio.sleep(0.01)
                return rows
        raise AssertionError(f"the ledger is {rows}")


@asynccontextmanager
async def post_office(
    database_url: str, folder: Path, *, deaf: bool = False
) -> AsyncIterator[PostOffice]:
    """With ``deaf`` nobody takes its events."""
    settings = Settings(
        database_url=database_url,
        broker_url=f"memory://{uuid4()}",
        blob_url=f"file://{folder}",
        health_port=0,
        shutdown_seconds=5,
    )
    async with (
        connect(settings.broker_url) as broker,
        db.connect(database_url, size=2) as database,
        AsyncExitStack() as ears,
    ):
        office = PostOffice(database, broker, settings, deaf=deaf)
        if not deaf:
            await ears.enter_async_context(broker.consume(TICKET_SVC, office.hear))
            await ears.enter_async_context(broker.consume(GATEWAY, office.hear_ledger))
        yield office


async def until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 20) -> None:
    """For what announces itself to nobody."""
    async with asyncio.timeout(seconds):
        while not (reached := condition()) or (not isinstance(reached, bool) and not await reached):
            await asyncio.sleep(0.01)


async def fails_alone(office: PostOffice, maildir: Maildir, bad: bytes, *, reason: str) -> None:
    """It is tried three times, and the mails beside it are taken in."""
    maildir.drop(bad, "0")
    for number in range(1, 4):
        maildir.drop(a_mail(f"Mail {number}"), str(number))
    async with office.open(maildir.url):
        mails = await office.mails(3)
        rows = await office.ledger("failed", "received", "received", "received")
    assert {mail.subject for mail in mails} == {"Mail 1", "Mail 2", "Mail 3"}
    assert (rows[0]["reason"], rows[0]["attempts"]) == (reason, 3)
    assert maildir.moved("Failed") == [bad]
