"""scheduler-svc from outside: ask it for schedules, let them come due, hear what it says."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest

from deskwire import db
from deskwire.contracts.base import Message
from deskwire.contracts.mail import Body
from deskwire.contracts.schedules import CreateSchedule, Schedule, ScheduleChanged
from deskwire.contracts.tickets import OpenScheduledTicket, OpenTicket
from deskwire.errors import Invalid
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.messaging.envelope import unwrap
from deskwire.messaging.outbox import Outbox
from deskwire.messaging.requests import ask
from deskwire.testing import FreshDatabase
from deskwire.topology import GATEWAY, TICKET_SVC
from scheduler_svc.clock import LAG, run_due, tick
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
                self.heard.append(unwrap(envelope))
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
        return (await ask(self.broker, command)).reply

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
        await self.sql("UPDATE schedules SET next_run_at = now() - $1::interval", since)

    def outbox(self) -> Outbox:
        return Outbox(self.database, self.broker, service="scheduler-svc")


@asynccontextmanager
async def open_office(url: str) -> AsyncIterator[Office]:
    broker_url = f"memory://{uuid4()}"
    async with (
        connect(broker_url) as broker,
        db.connect(url, size=4) as database,
        AsyncExitStack() as ears,
    ):
        office = Office(url, broker, broker_url, database)
        for queue in (TICKET_SVC, GATEWAY):
            await ears.enter_async_context(broker.consume(queue, office.hear))
        yield office


@pytest.fixture
async def office(fresh_database: FreshDatabase) -> AsyncIterator[Office]:
    async with open_office(fresh_database("scheduler_svc")) as office:
        yield office


async def test_a_schedule_is_made_and_told(office: Office) -> None:
    async with running(office.settings):
        schedule = await office.schedule("0 9 * * mon", "Europe/Paris")
        (told,) = await office.wait_for(ScheduleChanged)
    assert told.schedule == schedule
    assert schedule.version == 1
    assert schedule.ticket == TICKET.model_copy(update={"source": "schedule"})
    assert schedule.next_run_at is not None
    assert schedule.created_at < schedule.next_run_at <= schedule.created_at + timedelta(days=7)
    assert schedule.next_run_at.weekday() == 0
    assert not office.all(OpenScheduledTicket)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("cron", {"cron": "0 9 * * someday"}),
        ("cron", {"cron": "* * * * *"}),
        ("timezone", {"timezone": "Europe/Atlantis"}),
        ("name", {"name": " \0 "}),
    ],
)
async def test_a_bad_schedule_is_refused(
    office: Office, field: str, values: dict[str, str]
) -> None:
    good = {"name": "Backups", "cron": "0 9 * * mon", "ticket": TICKET}
    async with running(office.settings):
        with pytest.raises(Invalid) as refusal:
            await ask(office.broker, CreateSchedule.model_validate(good | values))
    assert refusal.value.field == field
    assert await office.sql("SELECT * FROM schedules") == []


async def test_what_is_due_opens_one_ticket(office: Office) -> None:
    async with running(office.settings):
        schedule = await office.schedule()
        await office.make_due()
        (order,) = await office.wait_for(OpenScheduledTicket)
        _, changed = await office.wait_for(ScheduleChanged, 2)
    assert order.schedule_id == schedule.id
    assert order.ticket == schedule.ticket
    assert changed.schedule == schedule.model_copy(update={"version": 2})


async def test_two_schedulers_open_each_ticket_once(office: Office) -> None:
    ids = await office.schedules(60)
    await office.make_due()
    async with running(office.settings), running(office.settings):
        await office.wait_for(ScheduleChanged, 60)
    counted = Counter(order.schedule_id for order in office.all(OpenScheduledTicket))
    assert counted == dict.fromkeys(ids, 1)
    assert len(office.all(ScheduleChanged)) == 60
    assert await office.database.pool.fetchval("SELECT count(*) FROM occurrences") == 60
    orders = "SELECT count(*) FROM outbox WHERE type = 'ticket.open_scheduled.v1'"
    assert await office.database.pool.fetchval(orders) == 60


async def test_clocks_at_the_same_time_share_what_is_due(office: Office) -> None:
    await office.schedules(30)
    for round_ in range(1, 6):
        await office.make_due(timedelta(days=7 * round_))
        await office.sql("DELETE FROM occurrences")
        done = await asyncio.gather(*(run_due(office.outbox()) for _ in range(4)))
        assert sum(done) == 30
        orders = "SELECT count(*) FROM outbox WHERE type = 'ticket.open_scheduled.v1'"
        assert await office.database.pool.fetchval(orders) == 30 * round_


async def test_an_occurrence_that_was_run_is_not_run_again(office: Office) -> None:
    await office.schedules(1)
    due = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
    for _ in range(2):  # as after the database's clock was set back
        await office.sql("UPDATE schedules SET cron = '0 9 5 1 *', next_run_at = $1", due)
        assert await run_due(office.outbox()) == 1
    (row,) = await office.sql("SELECT * FROM occurrences")
    orders = await office.sql("SELECT * FROM outbox WHERE type = 'ticket.open_scheduled.v1'")
    assert len(orders) == 1
    assert row["occurrence"].endswith("-01-05T09:00")


async def test_after_an_outage_it_runs_once_for_the_latest_missed(office: Office) -> None:
    await office.schedules(1, cron="*/30 * * * *")
    await office.make_due(timedelta(days=3))
    async with running(office.settings):
        (changed,) = await office.wait_for(ScheduleChanged)
        assert changed.schedule.next_run_at is not None
        (row,) = await office.sql("SELECT now() AS now")
    (order,) = office.all(OpenScheduledTicket)
    ran = datetime.fromisoformat(f"{order.occurrence}:00+00:00")
    assert changed.schedule.next_run_at - ran == timedelta(minutes=30)
    assert ran <= row["now"] < changed.schedule.next_run_at + timedelta(minutes=1)


async def test_a_rule_that_no_longer_runs_ends_and_harms_no_other(office: Office) -> None:
    broken, good = await office.schedules(2)
    await office.make_due()
    await office.sql("UPDATE schedules SET timezone = 'Europe/Atlantis' WHERE id = $1", broken)
    async with running(office.settings):
        changes = await office.wait_for(ScheduleChanged, 2)
    ended = {change.schedule.id: change.schedule.next_run_at is None for change in changes}
    assert ended == {broken: True, good: False}
    assert len(office.all(OpenScheduledTicket)) == 2
    states = await office.sql("SELECT state FROM schedules ORDER BY id")
    assert [row["state"] for row in states] == ["ended", "active"]


async def test_a_paused_schedule_does_not_run(office: Office) -> None:
    paused, _ = await office.schedules(2)
    await office.make_due()
    pause = "UPDATE schedules SET state = 'paused', next_run_at = NULL WHERE id = $1"
    await office.sql(pause, paused)
    assert await run_due(office.outbox()) == 1
    assert await run_due(office.outbox()) == 0


async def test_the_lag_is_that_of_the_first_due(office: Office) -> None:
    await office.schedules(2)
    await office.make_due(timedelta(seconds=100))
    await tick(office.outbox(), 1.0)
    assert 100 <= LAG._value.get() < 130
    assert await tick(office.outbox(), 1.0) == 1.0
    assert LAG._value.get() == 0


async def test_it_looks_again_when_the_next_one_is_due(office: Office) -> None:
    assert await tick(office.outbox(), 5.0) == 5.0
    await office.schedules(1)
    await office.sql("UPDATE schedules SET next_run_at = now() + interval '2 seconds'")
    assert 0 < await tick(office.outbox(), 5.0) <= 2


async def test_the_clock_goes_on_after_the_database_was_away(office: Office) -> None:
    async with running(office.settings):
        await office.schedule()
        await office.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await office.sql("UPDATE schedules SET next_run_at = now()")
        await office.wait_for(OpenScheduledTicket)
