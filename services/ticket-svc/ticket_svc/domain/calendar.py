"""Hours of work on the client's wall clock: what ends when, and how much of them passes meanwhile.

Daylight saving is the zone's: an interval that the clock skips is shorter, one that comes twice
is longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from deskwire.contracts.settings import BusinessHours

HORIZON = timedelta(days=3660)
"""Nothing ends later: a week may have a single minute of work."""

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Calendar:
    """``week``: of each day, Monday first, intervals as ``09:00-17:00``."""

    zone: ZoneInfo
    week: tuple[tuple[str, ...], ...]
    holidays: frozenset[date]

    @classmethod
    def of(cls, hours: BusinessHours, holidays: tuple[date, ...], timezone: str) -> "Calendar":
        week = tuple(getattr(hours, day) for day in BusinessHours.model_fields)
        return cls(ZoneInfo(timezone), week, frozenset(holidays))

    def after(self, moment: datetime, work: timedelta) -> datetime:
        """When so much work is done that begins at the moment, in UTC."""
        for start, end in self._intervals(moment, moment + HORIZON):
            if work <= end - start:
                return start + work
            work -= end - start
        return moment + HORIZON

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much work there is from one moment to the other."""
        worked = (until - since for since, until in self._intervals(start, end))
        return sum(worked, timedelta())

    def _intervals(self, start: datetime, end: datetime) -> Iterator[Interval]:
        """What is worked from one moment to the other, in UTC."""
        day, last = (moment.astimezone(self.zone).date() for moment in (start, end))
        while day <= last:
            for since, until in self._of_day(day):
                if max(since, start) < min(until, end):
                    yield max(since, start), min(until, end)
            day += timedelta(days=1)

    def _of_day(self, day: date) -> Iterator[Interval]:
        if day in self.holidays:
            return
        for interval in self.week[day.weekday()]:
            since, _, until = interval.partition("-")
            yield self._at(day, since), self._at(day, until)

    def _at(self, day: date, wall: str) -> datetime:
        if wall == "24:00":
            day, wall = day + timedelta(days=1), "00:00"
        return datetime.combine(day, time.fromisoformat(wall), self.zone).astimezone(UTC)
