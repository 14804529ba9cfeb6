"""scheduler-svc from outside: ask it for schedules and alarms, let them come due, hear it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from deskwire import db
from deskwire.contracts.base import Command, Message, Reply
from deskwire.contracts.mail import Body
from deskwire.contracts.schedules import (
    ChangeSchedule,
    CreateSchedule,
    Schedule,
    ScheduleChanged,
    ScheduleChanges,
)
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.messaging.outbox import Outbox
from deskwire.messaging.requests import ask
from deskwire.topology import GATEWAY, TICKET_SVC
from scheduler_svc.main import running
from scheduler_svc.settings import Settings

M = TypeVar("M", bound=Message)

TICKET = OpenTicket(subject="Check the backups", body=Body(text="All of them."), client_id=1)


class Office:
    """A database, a broker, and ears in the place of ticket-svc and of the gateway."""

    def __init__(self, url: str, broker: Broker, broker_url: str, database: db.Database) -> None:
        self.settings = Settings(
            database_url=url, broker_url=broker_url, health_port=0, tick_seconds=0.2
        )
        self.broker = broker
        self.database = database
        self.heard: list[Message] = []
        self._known: set[UUID] = set()
        self._changed = asyncio.Event()

    async def hear(self, batch: Sequence[Delivery]) -> None:
        """As a consumer does: the same message again is not heard again."""
        for envelope in (delivery.envelope for delivery in batch):
            if envelope.id not in self._known:
                self._known.add(envelope.id)
                self.heard.append(envelope.message)
        self._changed.set()

    def all(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    async def wait_for(self, kind: type[M], count: int = 1) -> list[M]:
        async with asyncio.timeout(20):
            while len(self.all(kind)) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.all(kind)

    async def schedule(self, cron: str = "0 9 * * mon", timezone: str = "UTC") -> Schedule:
        command = CreateSchedule(name="Backups", cron=cron, timezone=timezone, ticket=TICKET)
        return await self.ask(command)

    async def ask(self, command: Command[Reply]) -> Reply:
        return (await ask(self.broker, command)).reply

    async def change(self, id: int, **changes: object) -> Schedule:
        wanted = ScheduleChanges.model_validate(changes)
        return await self.ask(ChangeSchedule(id=id, changes=wanted))

    async def schedules(self, count: int, cron: str = "0 9 * * mon") -> list[int]:
        """Made by one scheduler that has stopped since."""
        async with running(self.settings):
            made = [await self.schedule(cron) for _ in range(count)]
            await self.wait_for(ScheduleChanged, count)
        self.heard.clear()
        return [schedule.id for schedule in made]

    async def sql(self, statement: str, *values: object) -> list[Any]:
        return [dict(row) for row in await self.database.pool.fetch(statement, *values)]

    async def make_due(self, since: timedelta = timedelta(seconds=1)) -> None:
        """As if none of them had run for so long, and eight days before."""
        await self.sql(
            "UPDATE schedules SET next_run_at = now() - $1::interval, next_wall ="
            " to_char(now() - $1::interval - interval '8 days', 'YYYY-MM-DD\"T\"HH24:MI')",
            since,
        )

    def outbox(self) -> Outbox:
        return Outbox(self.database, self.broker, service="scheduler-svc")


@asynccontextmanager
async def open_office(url: str, broker_url: str = "") -> AsyncIterator[Office]:
    """Without a broker's URL on one of its own, in memory."""
    broker_url = broker_url or f"memory://{uuid4()}"
    async with (
        connect(broker_url) as broker,
        db.connect(url, size=4) as database,
        AsyncExitStack() as ears,
    ):
        office = Office(url, broker, broker_url, database)
        for queue in (TICKET_SVC, GATEWAY):
            await ears.enter_async_context(broker.consume(queue, office.hear))
        yield office
