"""When a schedule runs: cron rules on the wall clock of an IANA zone.

Daylight saving goes Debian cron's way: a time that the clock skips runs at the end of the gap, and
a wall time that comes twice runs the first time only.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from cronsim import CronSim, CronSimError

from deskwire.errors import Invalid

SHORTEST_GAP = timedelta(minutes=5)
LONGEST_RULE = 200  # characters; "0,5,10,...,55" in every field is shorter
_MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def first_run(cron: str, timezone: str, now: datetime) -> datetime:
    """The first run of a rule that is new; `Invalid` says what is wrong with the rule."""
    if len(cron) > LONGEST_RULE or len(cron.split()) != 5:
        raise Invalid("a cron rule has five fields, as in 0 9 * * mon", field="cron")
    if timezone not in _zones():
        raise Invalid("there is no such IANA time zone", field="timezone")
    run = next_run(cron, timezone, now)
    if _too_often(cron):
        raise Invalid("it would run more often than every five minutes", field="cron")
    return run


def next_run(cron: str, timezone: str, after: datetime) -> datetime:
    """The first run after a moment, in UTC; `Invalid` when there is none."""
    zone = _zone(timezone)
    for run in _runs(cron, after.astimezone(zone)):
        if run > after and not run.astimezone(zone).fold:
            return run
    raise Invalid("it would never run", field="cron")


def latest_run(cron: str, timezone: str, due: datetime, now: datetime) -> datetime:
    """Of the runs from ``due`` until now the last one: those before it were missed."""
    run = max(due, _shortly_before(cron, timezone, now))
    while (following := next_run(cron, timezone, run)) <= now:
        run = following
    return run


def _shortly_before(cron: str, timezone: str, now: datetime) -> datetime:
    """A run before now, often the last one: where a wall time comes twice it may be another."""
    zone = _zone(timezone)
    for run in _runs(cron, now.astimezone(zone), backwards=True):
        if run <= now and not run.astimezone(zone).fold:
            return run
    raise Invalid("it has never run", field="cron")


def occurrence(run: datetime, timezone: str) -> str:
    """The name of a run, by which it happens once: its wall time, as ``2026-03-29T03:00``."""
    return run.astimezone(_zone(timezone)).strftime("%Y-%m-%dT%H:%M")


def _runs(cron: str, moment: datetime, *, backwards: bool = False) -> Iterator[datetime]:
    try:
        for run in CronSim(cron, moment, reverse=backwards):
            yield run.astimezone(UTC)
    except CronSimError as error:
        raise Invalid(f"not a cron rule: {error}", field="cron") from error


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except ZoneInfoNotFoundError as error:
        raise Invalid("there is no such IANA time zone", field="timezone") from error


def _too_often(cron: str) -> bool:
    """Of the days it runs on only the times count: so two days show all there is."""
    minute, hour, *_ = cron.split()
    runs = CronSim(f"{minute} {hour} * * *", _MIDNIGHT)
    two_days = takewhile(lambda run: run <= _MIDNIGHT + timedelta(days=2), runs)
    return any(later - run < SHORTEST_GAP for run, later in pairwise(two_days))


@cache
def _zones() -> set[str]:
    """Without the one that is another on every host."""
    return available_timezones() - {"localtime"}
