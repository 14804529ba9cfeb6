"""When a schedule runs: its rule on the wall clock of an IANA zone, days off, and what was missed.

Daylight saving goes Debian cron's way: a time that the clock skips runs at the end of the gap, and
a wall time that comes twice runs the first time only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from deskwire.contracts.schedules import Schedule, Timing
from deskwire.contracts.settings import PolicySettings
from deskwire.contracts.ticket_commands import OpenScheduledTicket
from deskwire.errors import Invalid
from deskwire.timezones import time_zones
from scheduler_svc.domain.rules import Rule, cron_rule, every_rule, rrule_rule

AT_ONCE = 100
"""Of what was missed so many are caught up with in one transaction."""

GRACE = timedelta(minutes=15)
"""What is later than this was missed."""

LONGEST_LEAVE = timedelta(days=3660)
"""When it is off for so long it is never."""

_YEARS = range(2000, 2201)


@dataclass(frozen=True, slots=True)
class Run:
    """``wall`` is what the rule says, ``at`` when it is, ``opens_at`` when its ticket is opened.

    ``occurrence`` is its name, by which it happens once: its wall time, as ``2026-03-29T03:00``.
    """

    wall: datetime
    occurrence: str
    at: datetime
    opens_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """``calendar``: which days are off."""

    timing: Timing
    rule: Rule
    zone: ZoneInfo
    calendar: PolicySettings

    def since(self, wall: datetime) -> Iterator[Run]:
        """Its runs from a wall time on; two that fall on the same moment are one."""
        starts, ends = self.timing.starts_at, self.timing.ends_at
        begin = max(wall, self.wall(starts).replace(microsecond=0)) if starts else wall
        last, there = None, begin
        for found in self.rule.since(begin):
            run = self._run(found)
            if (ends and run and run.at > ends) or found - there > LONGEST_LEAVE:
                return
            if run is not None and run.at != last:
                last, there = run.at, found
                yield run

    def after(self, moment: datetime) -> Iterator[Run]:
        """Its runs that are later than this."""
        runs = self.since(self.wall(moment) - self._margin)
        return (run for run in runs if run.at > moment)

    def last_since(self, wall: datetime, now: datetime) -> datetime:
        """Where to look from for the last run until now, when none of those before it counts."""
        last = self.rule.last(self.wall(now + self.lead))
        return wall if last is None else max(wall, last - self._margin)

    def wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None)

    @property
    def lead(self) -> timedelta:
        return timedelta(seconds=self.timing.lead_seconds)

    @property
    def _margin(self) -> timedelta:
        """So much earlier or later a run may be than its rule says; days off in a row are fewer."""
        return timedelta(days=0 if self.timing.days_off == "open" else 40)

    def _run(self, wall: datetime) -> Run | None:
        """None: it is left out."""
        moved = self._moved(wall)
        if moved is None:
            return None
        at = instant(moved, self.zone)
        return Run(wall, name(at, self.zone), at, at - self.lead)

    def _moved(self, wall: datetime) -> datetime | None:
        rule = self.timing.days_off
        step = {"before": timedelta(days=-1), "after": timedelta(days=1)}.get(rule)
        if rule == "open" or not self.calendar.is_off(wall.date()):
            return wall
        if step is None:
            return None
        days = (wall + step * n for n in range(1, LONGEST_LEAVE.days))
        return next((day for day in days if not self.calendar.is_off(day.date())), None)


@lru_cache(maxsize=1000)
def plan_of(timing: str, calendar: str) -> Plan:
    """From JSON: a `Timing`, and what of the settings in force is about days. Raises `Invalid`."""
    return plan(Timing.model_validate_json(timing), PolicySettings.model_validate_json(calendar))


def plan(timing: Timing, calendar: PolicySettings) -> Plan:
    """Raises `Invalid` with the field that is wrong."""
    if timing.timezone not in time_zones():
        raise Invalid("there is no such IANA time zone", field="timezone")
    starts, ends = timing.starts_at, timing.ends_at
    for field, moment in (("starts_at", starts), ("ends_at", ends)):
        if moment is not None and moment.year not in _YEARS:
            raise Invalid(f"must be in {_YEARS[0]} to {_YEARS[-1]}", field=field)
    if starts and ends and ends < starts:
        raise Invalid("it ends before it starts", field="ends_at")
    zone = ZoneInfo(timing.timezone)
    return Plan(timing, _rule(timing, zone), zone, calendar)


def _rule(timing: Timing, zone: ZoneInfo) -> Rule:
    given = [name for name in ("cron", "every", "rrule") if getattr(timing, name) is not None]
    if len(given) != 1:
        raise Invalid("say one of cron, every and rrule", field="cron")
    if timing.cron is not None:
        return cron_rule(timing.cron)
    if timing.starts_at is None:
        raise Invalid("say when it is the first time", field="starts_at")
    start = timing.starts_at.astimezone(zone).replace(tzinfo=None, microsecond=0)
    if timing.rrule is not None:
        return rrule_rule(timing.rrule, start)
    if timing.every is None:
        raise LookupError(given)
    return every_rule(timing.every, start)


def first_run(plan: Plan, now: datetime) -> Run:
    """Raises `Invalid` when there is none."""
    run = next(plan.after(now), None)
    if run is None:
        raise Invalid(
            "it would never run: it ends first, or all its days are left out",
            field=_named(plan.timing),
        )
    return run


def _named(timing: Timing) -> str:
    return "rrule" if timing.rrule else "every" if timing.every else "cron"


def due(plan: Plan, wall: datetime, now: datetime) -> tuple[Sequence[Run], Run | None]:
    """What is to be opened of the runs from ``wall`` on, and the run that comes after.

    Of what was missed all are, in batches, or the last one, or none.
    """
    catch_up = plan.timing.catch_up
    if catch_up != "all" and _several(plan, wall, now):
        wall = plan.last_since(wall, now)
    come: list[Run] = []
    for run in plan.since(wall):
        if run.opens_at > now or (catch_up == "all" and len(come) == AT_ONCE):
            return _caught_up(plan, come, now), run
        come.append(run)
    return _caught_up(plan, come, now), None


def left(schedule: Schedule) -> int | None:
    """After so many more tickets it ends; None: it does not."""
    return None if schedule.count is None else max(0, schedule.count - schedule.runs)


def order(
    schedule: Schedule, occurrence: str, number: int, run: Run | None = None
) -> OpenScheduledTicket:
    """To open its ticket; ``number`` says whose turn it is where agents take turns."""
    changes: dict[str, Any] = {}
    if schedule.rotation:
        changes["assigned_to"] = schedule.rotation[number % len(schedule.rotation)]
    if run is not None and schedule.lead_seconds:
        changes["due_at"] = run.at
    ticket = schedule.ticket.model_copy(update=changes)
    return OpenScheduledTicket(schedule_id=schedule.id, occurrence=occurrence, ticket=ticket)


def _several(plan: Plan, wall: datetime, now: datetime) -> bool:
    second = next(islice(plan.since(wall), 1, 2), None)
    return second is not None and second.opens_at <= now


def _caught_up(plan: Plan, come: Sequence[Run], now: datetime) -> Sequence[Run]:
    if plan.timing.catch_up == "all":
        return come
    last = come[-1:]
    if plan.timing.catch_up == "none":
        return [run for run in last if now - run.opens_at <= GRACE]
    return last


def preview(plan: Plan, after: datetime, count: int) -> list[Run]:
    """The next runs."""
    return list(islice(plan.after(after), count))


def name(at: datetime, zone: ZoneInfo) -> str:
    """Of a run at this moment."""
    return at.astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment when a wall clock shows this time, or first shows a later one, in UTC."""
    at = wall.replace(tzinfo=zone).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    before, after = at - timedelta(hours=24), at
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
