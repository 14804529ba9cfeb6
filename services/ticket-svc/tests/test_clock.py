"""Auto-close from outside: statuses, alarms that come, what is said of it."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from ticket_desk import ACTOR, AGENT, Desk

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Body
from deskwire.contracts.people import (
    AgentChanges,
    AssetChanges,
    ChangeAgent,
    ChangeAsset,
    CreateAgent,
    CreateAsset,
)
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.settings import PolicyChanges, UpdateClientSettings
from deskwire.contracts.terms import Status
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    MergeTicket,
    OpenScheduledTicket,
    OpenTicket,
    TicketChanges,
    UnmergeTicket,
    WakeTicket,
)
from deskwire.contracts.tickets import (
    Ticket,
    TicketChanged,
    TicketChased,
    TicketEvent,
    TicketOpened,
)
from deskwire.errors import Conflict
from deskwire.messaging.envelope import wrap

HOUR = timedelta(hours=1)


class Clocks:
    """A desk whose time can pass, and a ticket of a client on it."""

    def __init__(self, desk: Desk, ticket_id: int) -> None:
        self.desk = desk
        self.id = ticket_id

    async def move(self, status: Status, **more: Any) -> Ticket:
        changes = TicketChanges(status=status)
        return await self.desk.ask(
            ChangeTicket(ticket_id=self.id, changes=changes, actor=ACTOR, **more)
        )

    async def say(self, kind: str, author: Author = AGENT, **more: Any) -> Ticket:
        body = Body(text=f"{kind} words")
        values = {"ticket_id": self.id, "kind": kind, "body": body, "author": author}
        return (await self.desk.ask(AddEntry.model_validate(values | more))).ticket

    def versions(self, kind: type[TicketEvent]) -> set[int]:
        """Of the ticket, of which such an event was heard, by however many."""
        return {event.ticket.version for event in self.desk.heard if isinstance(event, kind)}

    async def alarm(self, version: int) -> datetime | None:
        """What the scheduler was told with this version of the ticket."""
        told = await self.desk.next(
            SetAlarm, where=lambda a: a.ticket_id == self.id and a.version == version
        )
        return told.at

    async def ring(self, at: datetime | None) -> int:
        """The alarm that was set for this time comes, whatever time it is; where the desk was."""
        assert at is not None
        heard = len(self.desk.heard)
        await self.desk.broker.publish(wrap(WakeTicket(ticket_id=self.id, at=at)))
        return heard


@pytest.fixture
async def clocks(desk: Desk) -> Clocks:
    return Clocks(desk, (await desk.open(await desk.client())).ticket.id)


async def test_a_round_reminds_once_and_closes(clocks: Clocks) -> None:
    await clocks.say("public")
    begun = await clocks.move("auto-close")
    assert begun.auto_close is not None
    assert begun.auto_close.chaser_at == begun.updated_at + 48 * HOUR
    assert begun.auto_close.closes_at == begun.updated_at + 72 * HOUR
    assert await clocks.alarm(begun.version) == begun.auto_close.chaser_at

    await clocks.ring(begun.auto_close.chaser_at)
    chased = await clocks.desk.next(TicketChased)
    assert chased.entry is not None
    assert chased.entry.body.text == "public words"
    assert chased.notify_client
    assert [(item.field, item.by.type) for item in chased.history] == [("chased_at", "system")]
    assert chased.ticket.version == begun.version + 1
    waiting = chased.ticket.auto_close
    assert waiting is not None
    assert (waiting.chaser_at, waiting.closes_at) == (None, begun.auto_close.closes_at)
    assert await clocks.alarm(chased.ticket.version) == waiting.closes_at

    await clocks.ring(begun.auto_close.chaser_at)  # once more
    heard = await clocks.ring(waiting.closes_at)
    closed = await clocks.desk.next(TicketChanged, after=heard)
    assert clocks.versions(TicketChased) == {chased.ticket.version}
    assert closed.ticket.status == "closed"
    assert closed.ticket.closed_by == Author(type="system")
    assert closed.ticket.auto_close is None
    assert (closed.notify_client, closed.thread is not None) == (True, True)
    assert await clocks.alarm(closed.ticket.version) is None


async def test_an_answer_of_the_client_ends_the_round(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close")
    noted = await clocks.say("internal")
    assert (noted.status, noted.auto_close) == ("auto-close", begun.auto_close)
    answered = await clocks.say("client", Author(type="contact", id=1, name="Alice"))
    assert (answered.status, answered.auto_close) == ("open", None)
    assert await clocks.alarm(answered.version) is None
    assert begun.auto_close
    await clocks.ring(begun.auto_close.closes_at)  # it was on its way already
    await clocks.say("internal")
    assert clocks.versions(TicketChased) == set()
    assert clocks.versions(TicketChanged) == {begun.version}

    again = await clocks.move("auto-close")
    assert again.auto_close
    assert again.auto_close.chaser_at
    await clocks.ring(again.auto_close.chaser_at)
    assert (await clocks.desk.next(TicketChased)).ticket.version == again.version + 1


async def test_an_agent_puts_off_the_closing(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close", close_in_hours=30)
    assert begun.auto_close is not None
    assert begun.auto_close.chaser_at == begun.updated_at + 6 * HOUR
    later = await clocks.move("auto-close", close_in_hours=200)
    assert later.auto_close is not None
    assert later.auto_close.closes_at == later.updated_at + 200 * HOUR
    told = await clocks.desk.next(TicketChanged, where=lambda e: e.ticket.version == later.version)
    (item,) = told.history
    assert (item.field, item.old) == ("auto_close", begun.auto_close.model_dump(mode="json"))
    heard = await clocks.ring(later.auto_close.chaser_at)
    chased = await clocks.desk.next(TicketChased, after=heard)
    last = await clocks.move("auto-close", close_in_hours=10)
    assert last.auto_close is not None
    assert (last.auto_close.chaser_at, last.auto_close.chased_at is not None) == (None, True)
    assert chased.ticket.auto_close
    with pytest.raises(Conflict):
        await clocks.move("working", close_in_hours=10)


async def test_an_alarm_that_comes_for_nothing_is_set_anew(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close")
    heard = await clocks.ring(datetime.now(UTC))
    again = await clocks.desk.next(SetAlarm, after=heard)
    assert begun.auto_close
    assert again == SetAlarm(
        ticket_id=clocks.id, at=begun.auto_close.chaser_at, version=begun.version
    )


async def test_after_a_long_outage_the_client_has_time_to_answer(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close")
    assert begun.auto_close
    late = begun.auto_close.closes_at + timedelta(days=3)
    heard = await clocks.ring(late)
    chased = await clocks.desk.next(TicketChased, after=heard)
    assert chased.ticket.auto_close
    assert chased.ticket.auto_close.closes_at == late + 24 * HOUR


async def test_on_hold_with_an_answer_it_waits_for_its_client(clocks: Clocks) -> None:
    await clocks.desk.settings(auto_close={"wait_hours": 24})
    held = await clocks.move("hold")
    alarm = await clocks.alarm(held.version)
    assert alarm == held.updated_at + 24 * HOUR
    await clocks.ring(alarm)  # nobody has said anything yet
    answered = await clocks.say("public")
    assert (answered.status, answered.auto_close) == ("hold", None)
    heard = await clocks.ring(await clocks.alarm(answered.version))
    waits = await clocks.desk.next(TicketChanged, after=heard)
    assert (waits.ticket.status, waits.history[0].by.type) == ("auto-close", "system")
    assert waits.ticket.auto_close


async def test_a_client_has_hours_of_its_own(clocks: Clocks) -> None:
    """Of work, on its own clock: at least three weeks of days of eight hours."""
    hours = {"chaser_hours": 100, "close_hours": 120, "business_time": True}
    await clocks.desk.ask(
        UpdateClientSettings(
            client_id=1,
            changes=PolicyChanges.model_validate({"auto_close": hours}),
            if_version=1,
            actor=ACTOR,
        )
    )
    begun = await clocks.move("auto-close")
    assert begun.auto_close is not None
    assert timedelta(days=18) < begun.auto_close.closes_at - begun.updated_at < timedelta(days=24)
    other = await clocks.desk.open(await clocks.desk.client("Other", "other.test"))
    moved = await Clocks(clocks.desk, other.ticket.id).move("auto-close")
    assert moved.auto_close is not None
    assert moved.auto_close.closes_at == moved.updated_at + 72 * HOUR


async def test_auto_close_is_switched_off(clocks: Clocks) -> None:
    await clocks.desk.settings(auto_close={"enabled": False})
    off = await clocks.move("auto-close")
    assert (off.status, off.auto_close) == ("auto-close", None)


async def test_rounds_end_and_begin_with_the_switch(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close")
    assert begun.auto_close
    await clocks.desk.settings(auto_close={"enabled": False})
    ended = await clocks.desk.next(TicketChanged, where=lambda e: e.ticket.version > begun.version)
    assert (ended.ticket.status, ended.ticket.auto_close) == ("auto-close", None)
    assert await clocks.alarm(ended.ticket.version) is None
    heard = await clocks.ring(begun.auto_close.closes_at)  # it was on its way
    await clocks.desk.settings(auto_close=None)
    again = await clocks.desk.next(TicketChanged, after=heard)
    assert again.ticket.auto_close
    assert again.ticket.auto_close.closes_at > begun.auto_close.closes_at
    assert await clocks.alarm(again.ticket.version) == again.ticket.auto_close.chaser_at


async def test_what_waited_before_there_were_alarms_is_armed_by_the_upgrade(clocks: Clocks) -> None:
    """As a ticket of then: with the status, and nothing that it waits for."""
    begun = await clocks.move("auto-close")
    await clocks.desk.database.pool.execute("UPDATE tickets SET clock = NULL")
    upgrade = import_module("ticket_svc.migrations.versions.0015_rounds")
    await clocks.desk.database.pool.execute(upgrade.RECOUNT)
    armed = await clocks.desk.next(TicketChanged, where=lambda e: e.ticket.version > begun.version)
    assert armed.ticket.auto_close
    assert await clocks.alarm(armed.ticket.version) == armed.ticket.auto_close.chaser_at


async def test_what_is_merged_waits_for_nothing(clocks: Clocks) -> None:
    target = (await clocks.desk.open(1)).ticket
    begun = await clocks.move("auto-close")
    merged = await clocks.desk.ask(MergeTicket(ticket_id=clocks.id, into=target.id, actor=ACTOR))
    assert merged.source.auto_close is None
    assert await clocks.alarm(merged.source.version) is None
    back = await clocks.desk.ask(UnmergeTicket(ticket_id=clocks.id, actor=ACTOR))
    assert back.source.status == "auto-close"
    assert back.source.auto_close
    assert begun.auto_close
    assert back.source.auto_close.closes_at > begun.auto_close.closes_at


async def test_what_a_merge_brought_is_an_answer(clocks: Clocks) -> None:
    """Nobody is reminded, or closed, who has written meanwhile, though it opened another ticket."""
    for status in ("hold", "auto-close"):
        await clocks.desk.settings(auto_close={"wait_hours": 24})
        await clocks.say("public")
        begun = await clocks.move(status)
        alice = Author(type="contact", id=1, name="Alice")
        other = (await clocks.desk.open(1, author=alice)).ticket
        merge = MergeTicket(ticket_id=other.id, into=clocks.id, actor=ACTOR)
        assert (await clocks.desk.ask(merge)).target.status == status
        heard = await clocks.ring(await clocks.alarm(begun.version))
        opened = await clocks.desk.next(
            TicketChanged, after=heard, where=lambda each: each.ticket.status == "open"
        )
        assert (opened.ticket.id, opened.ticket.auto_close) == (clocks.id, None)
    assert clocks.versions(TicketChased) == set()

    late = await clocks.move("auto-close")  # by somebody who knows what the client wrote
    heard = await clocks.ring(await clocks.alarm(late.version))
    assert (await clocks.desk.next(TicketChased, after=heard)).ticket.status == "auto-close"


async def test_alarms_are_told_anew(clocks: Clocks) -> None:
    begun = await clocks.move("auto-close")
    heard = len(clocks.desk.heard)
    await clocks.desk.broker.publish(wrap(ReplayDocuments(kind="alarm")))
    told = await clocks.desk.next(SetAlarm, after=heard)
    assert begun.auto_close
    assert (told.at, told.version) == (begun.auto_close.chaser_at, begun.version)


async def test_a_scheduled_ticket_leaves_out_what_is_gone(clocks: Clocks) -> None:
    desk = clocks.desk
    agent = await desk.ask(CreateAgent(name="Ann", email="ann@example.com"))
    assets = [await desk.ask(CreateAsset(client_id=1, name=name)) for name in ("A", "B")]
    gone = AssetChanges(archived=True)
    await desk.ask(ChangeAsset(id=assets[0].id, changes=gone))
    await desk.ask(ChangeAgent(id=agent.id, changes=AgentChanges(archived=True)))
    ticket = OpenTicket(
        subject="Backups",
        body=Body(text="All."),
        client_id=1,
        contact_id=99,
        assigned_to=agent.id,
        asset_ids=tuple(asset.id for asset in assets),
        source="schedule",
    )
    order = OpenScheduledTicket(schedule_id=1, occurrence="2026-01-05T09:00", ticket=ticket)
    await desk.broker.publish(wrap(order))
    opened = (await desk.next(TicketOpened, where=lambda e: e.ticket.source == "schedule")).ticket
    assert (opened.assigned_to, [asset.name for asset in opened.assets]) == (None, ["B"])
    assert opened.contact is not None
    assert opened.contact.name == "Alice"
