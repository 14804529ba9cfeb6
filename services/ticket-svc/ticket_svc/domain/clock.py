"""What a ticket waits for: its moments, and what a change of its status makes of them.

A ticket waits for its client in rounds. A round begins with the status auto-close, and anew with
a public reply: the client is reminded once, later the ticket is closed. Whatever changes the status
ends it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from pydantic import Field

from deskwire.contracts.base import Document
from deskwire.contracts.settings import AutoClose, PolicySettings, Target, Targets
from deskwire.contracts.terms import Deadline, EntryKind, Priority, Status
from deskwire.contracts.tickets import AutoClosing, Ticket
from deskwire.errors import Conflict
from ticket_svc.domain.calendar import Calendar

Name = Literal[
    "wait", "chaser", "close",
    "response-warning", "response-breach", "resolution-warning", "resolution-breach",
]  # fmt: skip
"""On hold for so long that it is auto-close; its client is reminded; it is closed; see
`deadlines`."""

OF_ROUND: tuple[Name, ...] = ("wait", "chaser", "close")

LATE = timedelta(minutes=15)
"""A reminder that comes later than this puts off the closing, so that there is time to answer."""


class Work(Document):
    """On a ticket until it is solved: how much there was before ``since``, when it is due. Neither
    is known while it waits for its client."""

    spent: timedelta = timedelta()
    since: datetime | None = None
    due_at: datetime | None = None


class Clock(Document):
    """``moments``: what is still to come. ``since``: from when on its client is waited for;
    ``chased_at``: when the client was reminded.

    ``respond_by``: when the first response is due, or was. ``work``: None without a target.
    """

    moments: dict[Name, datetime] = Field(default_factory=dict)
    since: datetime | None = None
    chased_at: datetime | None = None
    respond_by: datetime | None = None
    work: Work | None = None
    due_by_hand: bool = False
    breached: tuple[Deadline, ...] = ()

    @property
    def alarm(self) -> datetime | None:
        """When to look at the ticket again."""
        return min(self.moments.values(), default=None)

    @property
    def auto_close(self) -> AutoClosing | None:
        if "close" not in self.moments:
            return None
        return AutoClosing(
            chaser_at=self.moments.get("chaser"),
            chased_at=self.chased_at,
            closes_at=self.moments["close"],
        )

    def due(self, now: datetime) -> list[Name]:
        """What has come, the earliest first."""
        come = [(at, name) for name, at in self.moments.items() if at <= now]
        return [name for _, name in sorted(come)]

    @property
    def ended(self) -> "Clock":
        """It waits for its client no more."""
        return self.without(*OF_ROUND).model_copy(update={"since": None, "chased_at": None})

    def without(self, *names: Name) -> "Clock":
        kept = {name: at for name, at in self.moments.items() if name not in names}
        return self.model_copy(update={"moments": kept})

    def with_moments(self, moments: dict[Name, datetime]) -> "Clock":
        return self.model_copy(update={"moments": self.moments | moments})


NOTHING = Clock()


@dataclass(frozen=True, slots=True)
class Policy:
    """What of the settings in force is about time."""

    auto_close: AutoClose
    chaser_text: str | None
    calendar: Calendar
    targets: Targets

    def after(self, moment: datetime, hours: float) -> datetime:
        """So many hours later, of work or of the clock, as the client has it."""
        duration = timedelta(hours=hours)
        if self.auto_close.business_time:
            return self.calendar.after(moment, duration)
        return moment + duration

    def target(self, priority: Priority) -> Target:
        found: Target = getattr(self.targets, priority)
        return found

    @property
    def notice(self) -> int:
        """Hours that a client has to answer the reminder."""
        return self.auto_close.close_hours - self.auto_close.chaser_hours


@lru_cache(maxsize=1000)
def policy(settings: str, timezone: str) -> Policy:
    """``settings``: those in force, as JSON."""
    found = PolicySettings.model_validate_json(settings)
    calendar = Calendar.of(found.business_hours, found.holidays, timezone)
    return Policy(found.auto_close, found.chaser_text, calendar, found.targets)


def follow(
    clock: Clock, before: Status, ticket: Ticket, policy: Policy, *, replied: EntryKind | None
) -> Clock:
    """After a change of the ticket, which was made at its ``updated_at``."""
    if before == ticket.status:
        return _told(clock, ticket, policy) if replied == "public" else clock
    if ticket.status == "hold":
        return _waiting(clock.ended, ticket, policy)
    if ticket.status == "auto-close" and policy.auto_close.enabled:
        return _begun(clock.ended, round_moments(policy, ticket.updated_at), ticket.updated_at)
    return clock.ended


def _begun(clock: Clock, moments: dict[Name, datetime], since: datetime) -> Clock:
    return clock.with_moments(moments).model_copy(update={"since": since})


def round_moments(policy: Policy, now: datetime, hours: int | None = None) -> dict[Name, datetime]:
    """A new round. ``hours`` until it is closed, in place of those of the settings: the reminder
    leaves as much time as theirs, or half of less."""
    hours = policy.auto_close.close_hours if hours is None else hours
    notice = policy.notice if policy.notice < hours else hours / 2
    return {
        "chaser": policy.after(now, hours - notice),
        "close": policy.after(now, hours),
    }


def switched(clock: Clock, ticket: Ticket, policy: Policy, now: datetime) -> Clock:
    """After settings changed: no rounds while auto-close is off; once it is on, a new one for what
    waits for its client without one. Hours that changed count from the next round on."""
    if not policy.auto_close.enabled:
        return clock.ended
    if ticket.status == "auto-close" and "close" not in clock.moments:
        return _begun(clock, round_moments(policy, now), now)
    return clock


def put_off(clock: Clock, ticket: Ticket, policy: Policy, hours: int) -> Clock:
    """Closed so many hours from now; a client who was reminded is not reminded again.

    Raises `Conflict` for a ticket that does not wait for its client.
    """
    if ticket.status != "auto-close":
        raise Conflict(f"it is {ticket.status}, not auto-close", field="status")
    moments = round_moments(policy, ticket.updated_at, hours)
    if clock.chased_at is not None:
        del moments["chaser"]
    return clock.with_moments(moments)


def chased(clock: Clock, policy: Policy, now: datetime) -> Clock:
    """After the reminder, which may have come late."""
    due, closes = clock.moments["chaser"], clock.moments["close"]
    if now - due > LATE:
        closes = max(closes, policy.after(now, policy.notice))
    moments = clock.without("chaser").moments | {"close": closes}
    return clock.model_copy(update={"moments": moments, "chased_at": now})


def waits_for_client(ticket: Ticket) -> bool:
    """It is on hold, and the last word was not the client's."""
    last = ticket.last_reply
    return ticket.status == "hold" and last is not None and last.kind == "public"


def _told(clock: Clock, ticket: Ticket, policy: Policy) -> Clock:
    """The client has something new to answer, and as much time for it; or more, if that was said
    before."""
    if ticket.status == "hold":
        return _waiting(clock, ticket, policy)
    if "close" not in clock.moments:
        return clock
    fresh = round_moments(policy, ticket.updated_at)
    later = {name: max(at, clock.moments.get(name, at)) for name, at in fresh.items()}
    return _begun(clock, later, ticket.updated_at).model_copy(update={"chased_at": None})


def _waiting(clock: Clock, ticket: Ticket, policy: Policy) -> Clock:
    rule = policy.auto_close
    if rule.wait_hours is None or not rule.enabled:
        return clock.without("wait")
    moments: dict[Name, datetime] = {"wait": policy.after(ticket.updated_at, rule.wait_hours)}
    return _begun(clock, moments, ticket.updated_at)
