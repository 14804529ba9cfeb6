"""What scheduler-svc owns: schedules and their occurrences, and the alarms of tickets."""

from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Changes, Command, Document, Event
from deskwire.contracts.ticket_commands import OpenTicket

Every = Literal["weekly", "monthly", "quarterly", "biannually", "annually"]
DaysOff = Literal["open", "skip", "before", "after"]
CatchUp = Literal["all", "last", "none"]
ScheduleState = Literal["active", "paused", "ended"]


class Timing(Document):
    """When: one of ``cron``, ``every`` and ``rrule`` (RFC 5545), on the wall clock of an IANA zone.

    ``starts_at``: the first time; ``every`` and ``rrule`` count from it, at its time of day.
    ``ends_at``: no run is later. ``count``: after so many tickets it ends. ``lead_seconds``: so
    long before it the ticket is opened, due at it. ``days_off``: what becomes of a run on a day
    that is a holiday of the client's or without hours of work: it is all the same, left out, or on
    the day of work before or after. ``catch_up``: which runs have their ticket late, after an
    outage.
    """

    cron: str | None = None
    every: Every | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    count: int | None = None
    lead_seconds: int = 0
    days_off: DaysOff = "open"
    catch_up: CatchUp = "last"


class Schedule(Timing):
    """A scheduled ticket: when, and the ticket that is opened each time.

    ``rotation``: the agents that get one ticket after the other. ``runs``: how many there were,
    the last one at ``last_run_at``. ``next_run_at``: when the next ticket is opened.
    """

    id: int
    name: str
    ticket: OpenTicket
    rotation: tuple[int, ...] = ()
    state: ScheduleState = "active"
    runs: int = 0
    last_run_at: datetime | None = None
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime | None = None
    deleted_at: datetime | None = None
    version: int = 1


class Occurrence(Document):
    """A run to come: its ticket is opened at ``opens_at``."""

    occurrence: str
    at: datetime
    opens_at: datetime


class Occurrences(Document):
    data: tuple[Occurrence, ...]


# Commands. ``within_client`` is the only client whose tickets the caller may schedule (None: all).


class CreateSchedule(Timing, Command[Schedule], name="schedule.create.v1"):
    name: str
    ticket: OpenTicket
    rotation: tuple[int, ...] = ()


class ScheduleChanges(Changes, Timing):
    """Resumed, a schedule has missed nothing."""

    name: str = ""
    ticket: OpenTicket | None = None
    rotation: tuple[int, ...] = ()
    paused: bool = False
    deleted: bool = False


class ChangeSchedule(Command[Schedule], name="schedule.change.v1"):
    """``if_version`` is the version that the caller saw (None: whatever it is now)."""

    id: int
    changes: ScheduleChanges
    if_version: int | None = None
    within_client: int | None = None


class RunSchedule(Command[Schedule], name="schedule.run.v1"):
    """Open a ticket now, whatever the rule says; the next run stays when it is."""

    id: int
    within_client: int | None = None


class PreviewSchedule(Command[Occurrences], name="schedule.preview.v1"):
    id: int
    count: int
    within_client: int | None = None


class SetAlarm(Event, name="alarm.set.v1"):
    """Wake the ticket at this time (None: not any more), whatever was said with an older version.

    An event: whoever loses its alarms has them told anew, as documents are.
    """

    ticket_id: int
    at: datetime | None
    version: int

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.ticket_id}"


class ScheduleChanged(Event, name="schedule.changed.v1"):
    schedule: Schedule

    @property
    def aggregate(self) -> str:
        return f"schedule:{self.schedule.id}"
