"""The team's agents: how they are called in notes, and when they want to be told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import (
    AgentEvent,
    AgentNotifications,
    QuietHours,
    Telling,
    Weekday,
)
from deskwire.errors import Invalid
from deskwire.timezones import time_zones

_CLOCK = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
_MENTION = re.compile(r"(?<![\w.@+-])@([\w+-]+(?:\.[\w+-]+)*)")
MENTIONS = 20
"""So many agents can be called in one note."""

WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)


@dataclass(frozen=True, slots=True)
class Agent:
    id: int
    name: str
    email: str
    wants: AgentNotifications
    archived: bool = False

    @property
    def handles(self) -> list[str]:
        return handles(self.name, self.email)


Agents = Mapping[int, Agent]


def handles(name: str, email: str) -> list[str]:
    """What ``@ann`` may be: the address up to its @, the first name, or all of the name."""
    words = name.casefold().split()
    found = [email.casefold().rpartition("@")[0], *words[:1], "".join(words), ".".join(words)]
    return sorted({handle for handle in found if handle})


def mentioned(body: Body) -> list[str]:
    """The handles that a note names, in its order."""
    names = (match[1].casefold() for match in _MENTION.finditer(body.text))
    return list(dict.fromkeys(names))[:MENTIONS]


def check(wants: AgentNotifications) -> None:
    """Raises `Invalid` for hours that there are not."""
    if wants.timezone not in time_zones():
        raise Invalid("there is no such IANA time zone", field="timezone")
    if not 0 <= wants.digest_hour <= 23:
        raise Invalid("an hour from 0 to 23", field="digest_hour")
    quiet = wants.quiet_hours
    if quiet and not (_CLOCK.fullmatch(quiet.start) and _CLOCK.fullmatch(quiet.end)):
        raise Invalid("times are as in 22:00", field="quiet_hours")


@dataclass(frozen=True, slots=True)
class Later:
    """Not before then (None: now), and ``digest``: with what else there is by then."""

    at: datetime | None = None
    digest: Telling | None = None


def plan(wants: AgentNotifications, event: AgentEvent, now: datetime) -> Later | None:
    """When to tell an agent of something that happens now; None: not at all."""
    telling = wants.events.get(event, "now")
    if telling == "off":
        return None
    local = now.astimezone(ZoneInfo(wants.timezone))
    if telling == "now":
        end = _end_of_quiet(local, wants.quiet_hours)
        return Later(None if end == local else end)
    due = _digest(local, telling, wants)
    return Later(_end_of_quiet(due, wants.quiet_hours), telling)


def _digest(local: datetime, telling: Telling, wants: AgentNotifications) -> datetime:
    """The next full hour, or the next day's (week's) hour, on the agent's wall clock."""
    if telling == "hourly":
        hour = local.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return (hour + timedelta(hours=1)).astimezone(local.tzinfo)
    day = local.replace(hour=wants.digest_hour, minute=0, second=0, microsecond=0, fold=0)
    if telling == "weekly":
        day += timedelta(days=(WEEKDAYS.index(wants.digest_day) - day.weekday()) % 7)
    step = timedelta(days=7 if telling == "weekly" else 1)
    return day if day > local else day + step


def _end_of_quiet(local: datetime, quiet: QuietHours | None) -> datetime:
    """The time itself when it is not in quiet hours."""
    if quiet is None or quiet.start == quiet.end:
        return local
    clock = local.strftime("%H:%M")
    over_night = quiet.start > quiet.end
    after, before = clock >= quiet.start, clock < quiet.end
    if not (after or before if over_night else after and before):
        return local
    hour, minute = map(int, quiet.end.split(":"))
    end = local.replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    return end + timedelta(days=1) if over_night and after else end
