"""By when a ticket is answered and solved: targets in hours of work, per priority and client.

The first response is due from when the client asked, whatever the status; what an agent or a
schedule opened waits for none. The time until it is solved stands while it waits for its client,
and begins anew when it is opened again. A due time that somebody set stays as it was set.
"""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Literal, get_args

from deskwire.contracts.settings import Target
from deskwire.contracts.terms import Deadline, Status
from deskwire.contracts.tickets import Ticket
from ticket_svc.domain.clock import NOTHING, Clock, Name, Policy, Work

ANY_TIME = Target()

AFTER = 0.75
"""The part of the time after which the team is warned."""

RUNNING: tuple[Status, ...] = ("open", "working")
"""In the other ones the client is waited for, or nobody."""

Changed = Literal["priority", "due_at", "calendar"]
"""What deadlines follow from besides status and replies; ``calendar``: targets, hours, holidays."""

CHANGES: frozenset[Changed] = frozenset(get_args(Changed))

_NAMES: dict[Deadline, tuple[Name, Name]] = {
    "first_response": ("response-warning", "response-breach"),
    "resolution": ("resolution-warning", "resolution-breach"),
}
DEADLINES: dict[Name, tuple[Deadline, bool]] = {
    name: (deadline, place == 1)
    for deadline, names in _NAMES.items()
    for place, name in enumerate(names)
}
"""Of each moment the deadline, and whether it is missed then."""


def opened(clock: Clock, ticket: Ticket, policy: Policy) -> Clock:
    changed: set[Changed] = {"priority"} if ticket.due_at is None else {"priority", "due_at"}
    return follow(clock, ticket, policy, changed, ticket.created_at)


def follow(
    clock: Clock, ticket: Ticket, policy: Policy, changed: AbstractSet[str], now: datetime
) -> Clock:
    """After the ticket changed."""
    target = policy.target(ticket.priority)
    if clock == NOTHING and target == ANY_TIME and "due_at" not in changed:
        return clock
    if "due_at" in changed:
        clock = _set_by_hand(clock, ticket)
    if ticket.status == "closed":
        return _dropped(_dropped(clock, "first_response"), "resolution").model_copy(
            update={"work": None}
        )
    return _worked(_answered(clock, ticket, policy, target, changed, now), ticket, policy, now)


def due_at(clock: Clock, ticket: Ticket) -> datetime | None:
    """That of the ticket; what was closed keeps its own."""
    if clock.due_by_hand or ticket.status == "closed":
        return ticket.due_at
    return clock.work.due_at if clock.work else None


def missed(clock: Clock, deadline: Deadline) -> Clock:
    return clock.model_copy(update={"breached": (*clock.breached, deadline)})


def _set_by_hand(clock: Clock, ticket: Ticket) -> Clock:
    """Null takes it back: the target counts again."""
    by_hand = ticket.due_at is not None
    values = {"due_by_hand": by_hand, "work": None}
    return _dropped(clock, "resolution").model_copy(update=values)


def _answered(
    clock: Clock,
    ticket: Ticket,
    policy: Policy,
    target: Target,
    changed: AbstractSet[str],
    now: datetime,
) -> Clock:
    if ticket.first_response_at is not None or not _asked(ticket):
        return _dropped(clock, "first_response")
    if not changed & {"priority", "calendar"} and not _closed_too_soon(clock, now):
        return clock
    clock = _dropped(clock, "first_response")
    if target.first_response is None:
        return clock.model_copy(update={"respond_by": None})
    time = timedelta(minutes=target.first_response)
    warn, due = (policy.calendar.after(ticket.created_at, part * time) for part in (AFTER, 1))
    clock = clock.model_copy(update={"respond_by": due})
    return _armed(clock, "first_response", warn, due, now)


def _closed_too_soon(clock: Clock, now: datetime) -> bool:
    """It is open again before its first response is due, of which closing has dropped the alarm."""
    due = clock.respond_by
    return due is not None and due > now and "response-breach" not in clock.moments


def _asked(ticket: Ticket) -> bool:
    """Somebody waits for a first response."""
    return ticket.created_by.type != "agent" and ticket.source != "schedule"


def _worked(clock: Clock, ticket: Ticket, policy: Policy, now: datetime) -> Clock:
    """How long it may take yet, which stands or goes on by its status."""
    minutes = policy.target(ticket.priority).resolution
    if clock.due_by_hand:
        return _due_by_hand(clock, ticket, now)
    if minutes is None and clock.work is None:
        return clock
    clock = _dropped(clock, "resolution")
    if minutes is None:
        return clock.model_copy(update={"work": None})
    since, spent = (clock.work.since, clock.work.spent) if clock.work else (None, timedelta())
    if ticket.status not in RUNNING:
        if since is not None:
            spent += policy.calendar.between(since, now)
        return clock.model_copy(update={"work": Work(spent=spent)})
    since = since or now
    time = timedelta(minutes=minutes)
    warn, due = (
        policy.calendar.after(since, max(part * time - spent, timedelta())) for part in (AFTER, 1)
    )
    clock = clock.model_copy(update={"work": Work(spent=spent, since=since, due_at=due)})
    return _armed(clock, "resolution", warn, due, now)


def _due_by_hand(clock: Clock, ticket: Ticket, now: datetime) -> Clock:
    due = ticket.due_at
    if due is None or due <= now or "resolution-breach" in clock.moments:
        return clock
    return _armed(clock, "resolution", now + AFTER * (due - now), due, now)


def _armed(clock: Clock, deadline: Deadline, warn: datetime, due: datetime, now: datetime) -> Clock:
    """What was missed is missed once, until it is due later than now again."""
    warning, breach = _NAMES[deadline]
    if due > now:
        breached = tuple(one for one in clock.breached if one != deadline)
        clock = clock.model_copy(update={"breached": breached})
    elif deadline in clock.breached:
        return clock
    moments: dict[Name, datetime] = {warning: warn} if warn > now else {}
    return clock.with_moments(moments | {breach: due})


def _dropped(clock: Clock, deadline: Deadline) -> Clock:
    return clock.without(*_NAMES[deadline])
