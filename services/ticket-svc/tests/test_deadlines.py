"""Deadlines: the rules for any times, and from outside when settings and tickets change."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from ticket_desk import ACTOR, AGENT, Desk

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Body
from deskwire.contracts.people import ChangeClient, ClientChanges
from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.settings import PolicySettings
from deskwire.contracts.ticket_commands import AddEntry, ChangeTicket, TicketChanges, WakeTicket
from deskwire.contracts.tickets import Ticket, TicketChanged, TicketDeadline
from deskwire.messaging.envelope import wrap
from ticket_svc.domain import deadlines
from ticket_svc.domain.clock import NOTHING, Clock, Policy, policy

PARIS = "Europe/Paris"
TARGETS = {"high": {"first_response": 60, "resolution": 480}, "low": {"resolution": 960}}


def paris(day: int, hour: int, minute: int = 0) -> datetime:
    """A Wednesday is the first of April 2026."""
    return datetime(2026, 4, day, hour, minute, tzinfo=ZoneInfo(PARIS))


MORNING = paris(1, 10)
POLICY = policy(PolicySettings.model_validate({"targets": TARGETS}).model_dump_json(), PARIS)


class Life:
    """A ticket that changes, and what it waits for."""

    def __init__(self, rules: Policy = POLICY, **values: Any) -> None:
        usual: dict[str, Any] = {"status": "open", "priority": "high", "due_at": None}
        usual |= {"created_at": MORNING, "updated_at": MORNING, "first_response_at": None}
        usual |= {"created_by": Author(type="contact"), "source": "api"}
        self.ticket = Ticket.model_construct(**(usual | values))
        self.clock = deadlines.opened(NOTHING, self.ticket, rules)

    def at(self, now: datetime, rules: Policy = POLICY, **values: Any) -> Clock:
        self.ticket = self.ticket.model_copy(update=values)
        changed = {*values, *({"calendar"} if rules is not POLICY else ())}
        self.clock = deadlines.follow(self.clock, self.ticket, rules, changed, now)
        return self.clock

    @property
    def due_at(self) -> datetime | None:
        return deadlines.due_at(self.clock, self.ticket)


def test_a_ticket_has_the_targets_of_its_priority() -> None:
    life = Life()
    assert (life.clock.respond_by, life.due_at) == (paris(1, 11), paris(2, 10))
    assert life.clock.moments == {
        "response-warning": paris(1, 10, 45),
        "response-breach": paris(1, 11),
        "resolution-warning": paris(1, 16),
        "resolution-breach": paris(2, 10),
    }
    assert (Life(priority="low").clock.respond_by, Life(priority="medium").clock) == (None, NOTHING)


def test_the_clock_stands_while_the_client_is_waited_for() -> None:
    life = Life()
    held = life.at(paris(1, 12), status="hold")
    assert (life.due_at, "resolution-breach" in held.moments) == (None, False)
    assert held.respond_by == paris(1, 11)  # the first response does not wait for the client
    assert life.at(paris(2, 9), status="auto-close") == held
    life.at(paris(3, 9), status="working")
    assert life.due_at == paris(3, 15)  # two of eight hours were over
    assert life.clock.moments["resolution-warning"] == paris(3, 13)


def test_an_answer_meets_the_first_deadline() -> None:
    life = Life()
    answered = life.at(paris(1, 10, 30), first_response_at=paris(1, 10, 30))
    assert (answered.respond_by, "response-breach" in answered.moments) == (paris(1, 11), False)


@pytest.mark.parametrize(
    "values", [{"created_by": AGENT}, {"source": "schedule"}], ids=["agent", "schedule"]
)
def test_nobody_waits_for_an_answer_to_what_the_team_opened(values: dict[str, Any]) -> None:
    life = Life(**values)
    assert (life.clock.respond_by, life.due_at) == (None, paris(2, 10))


def test_another_priority_has_other_targets() -> None:
    life = Life()
    life.at(paris(1, 12), priority="low")
    assert (life.clock.respond_by, life.due_at) == (None, paris(3, 10))
    life.at(paris(1, 12), priority="medium")
    assert (life.due_at, life.clock.moments) == (None, {})


def test_what_is_closed_is_due_no_more_and_begins_anew() -> None:
    life = Life()
    closed = life.at(paris(1, 12), status="closed")
    assert (closed.moments, closed.work) == ({}, None)
    life.at(paris(7, 9), status="open")
    assert life.due_at == paris(7, 17)


def test_what_is_opened_again_in_time_waits_for_its_first_answer() -> None:
    life = Life()
    life.at(paris(1, 10, 10), status="closed")
    again = life.at(paris(1, 10, 20), status="open")
    assert again.moments["response-warning"] == paris(1, 10, 45)
    assert again.moments["response-breach"] == paris(1, 11)
    life.at(paris(1, 10, 50), status="closed")
    late = life.at(paris(2, 9), status="open")
    assert {"response-warning", "response-breach"}.isdisjoint(late.moments)
    assert late.respond_by == paris(1, 11)


def test_a_due_time_that_was_set_stays() -> None:
    life = Life(due_at=paris(10, 12))
    assert life.due_at == paris(10, 12)
    assert life.clock.moments["resolution-breach"] == paris(10, 12)
    life.at(paris(1, 11), status="hold")
    life.at(paris(2, 11), priority="low")
    assert life.due_at == paris(10, 12)
    life.at(paris(2, 11), status="working", due_at=None)
    assert life.due_at == paris(6, 11)
    life.at(paris(2, 11), due_at=paris(1, 9))
    assert "resolution-breach" not in life.clock.moments


def test_what_was_missed_is_missed_once() -> None:
    life = Life()
    life.clock = deadlines.missed(life.clock.without("resolution-breach"), "resolution")
    later = life.at(paris(2, 12), status="working")
    assert (later.breached, "resolution-breach" in later.moments) == (("resolution",), False)
    more_time = life.at(paris(2, 12), priority="low")
    assert (more_time.breached, life.due_at) == ((), paris(3, 10))


def test_a_holiday_moves_what_is_not_over() -> None:
    off = PolicySettings.model_validate({"targets": TARGETS, "holidays": ["2026-04-02"]})
    life = Life()
    life.at(paris(1, 12), policy(off.model_dump_json(), PARIS))
    assert life.due_at == paris(3, 10)


# --- from outside


class Deadlines:
    def __init__(self, desk: Desk, client_id: int) -> None:
        self.desk = desk
        self.client_id = client_id

    async def change(self, ticket: Ticket, **changes: Any) -> Ticket:
        wanted = TicketChanges.model_validate(changes)
        return await self.desk.ask(ChangeTicket(ticket_id=ticket.id, changes=wanted, actor=ACTOR))


@pytest.fixture
async def late(desk: Desk) -> Deadlines:
    """A desk that works around the clock, so that hours are hours."""
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    await desk.settings(
        targets=TARGETS,
        business_hours={day: ["00:00-24:00"] for day in days},
        new_ticket_addresses=["team@example.com"],
    )
    return Deadlines(desk, await desk.client())


async def test_the_team_is_warned_and_told(late: Deadlines) -> None:
    ticket = (await late.desk.open(late.client_id, priority="high")).ticket
    assert ticket.first_response_due_at == ticket.created_at + timedelta(hours=1)
    assert ticket.due_at == ticket.created_at + timedelta(hours=8)
    alarm = await late.desk.next(SetAlarm)
    assert alarm.at == ticket.created_at + timedelta(minutes=45)
    await late.desk.broker.publish(wrap(WakeTicket(ticket_id=ticket.id, at=alarm.at)))
    warned = await late.desk.next(TicketDeadline)
    assert (warned.deadline, warned.breached) == ("first_response", False)
    assert (warned.team, warned.due_at) == (("team@example.com",), ticket.first_response_due_at)

    await late.desk.broker.publish(wrap(WakeTicket(ticket_id=ticket.id, at=ticket.due_at)))
    missed = await late.desk.next(TicketDeadline, where=lambda e: e.ticket.breached == BOTH)
    told = {(e.deadline, e.breached) for e in late.desk.heard if isinstance(e, TicketDeadline)}
    assert told == {(d, b) for d in BOTH for b in (True, False)}
    assert (missed.deadline, missed.history[0].field) == ("resolution", "breached")
    assert missed.ticket.due_at == ticket.due_at


BOTH = ("first_response", "resolution")


async def test_tickets_follow_the_settings(late: Deadlines) -> None:
    ticket = (await late.desk.open(late.client_id, priority="high")).ticket
    heard = len(late.desk.heard)
    await late.desk.settings(targets={"high": {"resolution": 120}})
    told = await late.desk.next(TicketChanged, after=heard)
    assert told.ticket.due_at == ticket.created_at + timedelta(hours=2)
    assert (told.ticket.first_response_due_at, told.ticket.updated_at) == (None, ticket.updated_at)
    alarm = await late.desk.next(SetAlarm, where=lambda alarm: alarm.version == 2)
    assert alarm.at == ticket.created_at + timedelta(minutes=90)


async def test_tickets_follow_the_zone_of_their_client(late: Deadlines) -> None:
    days = {"targets": TARGETS, "business_hours": {"monday": ["09:00-10:00"]}}
    await late.desk.settings(**days)
    ticket = (await late.desk.open(late.client_id, priority="high")).ticket
    changes = ClientChanges(timezone="Pacific/Auckland")
    await late.desk.ask(ChangeClient(id=late.client_id, changes=changes))
    told = await late.desk.next(TicketChanged, where=lambda e: e.ticket.due_at != ticket.due_at)
    assert told.ticket.due_at
    assert ticket.due_at
    auckland = told.ticket.due_at.astimezone(ZoneInfo("Pacific/Auckland"))
    assert (auckland.weekday(), auckland.hour, ticket.due_at.hour) == (0, 10, 10)


async def test_hold_answer_and_a_due_time_of_ones_own(late: Deadlines) -> None:
    ticket = (await late.desk.open(late.client_id, priority="high")).ticket
    held = await late.change(ticket, status="hold")
    assert held.due_at is None
    shared = Author(type="system", name="a front end with one key for all")
    public = AddEntry(ticket_id=ticket.id, kind="public", body=Body(text="x"), author=shared)
    answered = (await late.desk.ask(public)).ticket
    assert answered.first_response_at is not None
    assert answered.first_response_due_at == ticket.first_response_due_at
    alice = Author(type="contact", id=1, name="Alice")
    back = AddEntry(ticket_id=ticket.id, kind="client", body=Body(text="x"), author=alice)
    opened = (await late.desk.ask(back)).ticket
    assert (opened.status, opened.due_at is not None) == ("open", True)
    due = datetime(2100, 1, 1, tzinfo=UTC)
    assert (await late.change(ticket, due_at=due)).due_at == due
    assert (await late.change(ticket, status="hold")).due_at == due
    assert (await late.change(ticket, due_at=None)).due_at is None
