"""Rules of recurrence, as times on a wall clock without a zone: cron, RRULE, or ITFlow's names."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import dropwhile, pairwise, takewhile

from cronsim import CronSim, CronSimError
from dateutil.relativedelta import relativedelta
from dateutil.rrule import rrule, rrulestr

from deskwire.contracts.schedules import Every
from deskwire.errors import Invalid

SHORTEST_GAP = timedelta(minutes=5)
LONGEST_RULE = 500  # characters

_MIDNIGHT = datetime(2026, 1, 1)  # noqa: DTZ001  # on a wall clock
_CRON_FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_STEPS: Mapping[Every, relativedelta] = {
    "weekly": relativedelta(weeks=1),
    "monthly": relativedelta(months=1),
    "quarterly": relativedelta(months=3),
    "biannually": relativedelta(months=6),
    "annually": relativedelta(years=1),
}
_PARTS = {
    "BYDAY", "BYHOUR", "BYMINUTE", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "FREQ", "INTERVAL", "WKST"
}  # fmt: skip
_DAYS = {"DAILY": 1, "WEEKLY": 7}
_CYCLE = 400  # years, after which dates fall on the same days of the week
_CYCLES = 19 * _CYCLE
"""So much later a rule is asked: where it is never, dateutil looks until the year 9999, which is
then at most four centuries of days away and not eighty."""


@dataclass(frozen=True, slots=True)
class Rule:
    """``since(wall)``: its times from that one on, which is among them when the rule says so."""

    since: Callable[[datetime], Iterator[datetime]]

    def last(self, until: datetime) -> datetime | None:
        """The last of its times within the last ten years."""
        for span in (timedelta(days=2), timedelta(days=70), timedelta(days=3653)):
            last = None
            for wall in takewhile(lambda wall: wall <= until, self.since(until - span)):
                last = wall
            if last is not None:
                return last
        return None


# --- cron


def cron_rule(cron: str) -> Rule:
    """Raises `Invalid` for what is none, or would run too often or never."""
    if len(cron) > LONGEST_RULE or len(cron.split()) != 5:
        raise Invalid("a cron rule has five fields, as in 0 9 * * mon", field="cron")

    def since(wall: datetime) -> Iterator[datetime]:
        runs = _cron_runs(cron, wall - timedelta(minutes=1))
        return dropwhile(lambda run: run < wall, runs)

    if next(since(_MIDNIGHT), None) is None:
        raise Invalid("it would never run: there is no such day", field="cron")
    if _too_often(cron):
        raise Invalid("it would run more often than every five minutes", field="cron")
    return Rule(since)


def _cron_runs(cron: str, after: datetime) -> Iterator[datetime]:
    try:
        yield from CronSim(cron, after)
    except CronSimError as error:
        raise Invalid(_wrong(cron, str(error)), field="cron") from error


def _wrong(cron: str, error: str) -> str:
    """Which field is wrong; the last day of some months is none of others."""
    values = dict(zip(_CRON_FIELDS, cron.split(), strict=True))
    name = error.removeprefix("Bad ")
    if name not in values:
        return f"not a cron rule: {error}"
    return f"the {name} cannot be {values[name][:20]}, in {' '.join(_CRON_FIELDS)}"


def _too_often(cron: str) -> bool:
    """Of the days it runs on only the times count: so two days show all there is."""
    minute, hour, *_ = cron.split()
    runs = CronSim(f"{minute} {hour} * * *", _MIDNIGHT)
    two_days = takewhile(lambda run: run <= _MIDNIGHT + timedelta(days=2), runs)
    return any(later - run < SHORTEST_GAP for run, later in pairwise(two_days))


# --- ITFlow's names


def every_rule(every: Every, start: datetime) -> Rule:
    """Counted from the start each time: what begins on the 31st is at the end of every month."""
    step = _STEPS[every]

    def since(wall: datetime) -> Iterator[datetime]:
        steps = max(0, _steps(start, wall, step))
        while True:
            at = start + step * steps
            if at >= wall:
                yield at
            steps += 1

    return Rule(since)


def _steps(start: datetime, wall: datetime, step: relativedelta) -> int:
    """So many steps or one more are from one to the other."""
    if step.days:
        return (wall - start).days // step.days
    months = (wall.year - start.year) * 12 + wall.month - start.month
    return months // (step.months + 12 * step.years) - 1


# --- RRULE (RFC 5545 section 3.3.10)


def rrule_rule(text: str, start: datetime) -> Rule:
    """``start`` is its DTSTART. Raises `Invalid` for what is none, or would run too often or never.

    What an hour or less apart is said by BYHOUR and BYMINUTE; count and end are the schedule's.
    """
    parts = _parts(text)
    days = _DAYS.get(parts["FREQ"], 0) * _interval(parts)
    _parsed(parts, start)
    if _gap(parts, start) < SHORTEST_GAP:
        raise Invalid("it would run more often than every five minutes", field="rrule")

    def since(wall: datetime) -> Iterator[datetime]:
        begin = _shifted(_wound_on(start, days, wall), _CYCLES)
        for at in _parsed(parts, begin):
            if (found := _shifted(at, -_CYCLES)) >= wall:
                yield found

    if next(since(start), None) is None:
        raise Invalid("it would never run: there is no such day", field="rrule")
    return Rule(since)


def _parts(text: str) -> dict[str, str]:
    if len(text) > LONGEST_RULE:
        raise Invalid(f"must have at most {LONGEST_RULE} characters", field="rrule")
    pairs = [part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").split(";")]
    parts = {name: value for name, _, value in pairs}
    if len(parts) < len(pairs) or not all(parts.values()):
        raise Invalid("not a rule such as FREQ=MONTHLY;BYDAY=1MO", field="rrule")
    for name in parts.keys() - _PARTS:
        told = re.split("[^A-Z-]", name)[0] or name[:20]
        elsewhere = "starts_at, ends_at and count are fields of their own"
        raise Invalid(f"{told} has no place here; {elsewhere}", field="rrule")
    if parts.get("FREQ") not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise Invalid("FREQ must be DAILY, WEEKLY, MONTHLY or YEARLY", field="rrule")
    return parts


def _parsed(parts: Mapping[str, str], start: datetime) -> rrule:
    try:
        found = rrulestr(";".join("=".join(pair) for pair in parts.items()), dtstart=start)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise Invalid(f"not a rule: {error}", field="rrule") from error
    if not isinstance(found, rrule):
        raise Invalid("must be one rule", field="rrule")
    return found


def _interval(parts: Mapping[str, str]) -> int:
    text = parts.get("INTERVAL", "1")
    if not re.fullmatch("[0-9]{1,3}", text) or text == "0":
        raise Invalid("INTERVAL must be 1 to 999", field="rrule")
    return int(text)


def _gap(parts: Mapping[str, str], start: datetime) -> timedelta:
    """The shortest between the times of a day, or the last one and the next day's first."""
    hours = [int(hour) for hour in parts.get("BYHOUR", str(start.hour)).split(",")]
    minutes = [int(minute) for minute in parts.get("BYMINUTE", str(start.minute)).split(",")]
    of_day = sorted({timedelta(hours=h, minutes=m) for h in hours for m in minutes})
    times = [*of_day, of_day[0] + timedelta(days=1)]
    return min(later - at for at, later in pairwise(times))


def _wound_on(start: datetime, days: int, wall: datetime) -> datetime:
    """A start that the same times follow from: whole intervals later, shortly before the wall."""
    if not days or wall <= start:
        return start
    return start + timedelta(days=max(0, (wall - start).days // days - 1) * days)


def _shifted(wall: datetime, years: int) -> datetime:
    return wall.replace(year=wall.year + years)
