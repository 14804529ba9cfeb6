"""Hours of work, and the moments that a ticket waits for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.settings import WORKDAYS, AutoClose, BusinessHours, PolicySettings
from deskwire.contracts.tickets import LastReply, Ticket
from deskwire.errors import Conflict
from ticket_svc.domain import clock
from ticket_svc.domain.calendar import HORIZON, Calendar
from ticket_svc.domain.clock import NOTHING, Clock, Policy

PARIS = "Europe/Paris"
EASTER = date(2026, 4, 6)
CALENDAR = Calendar.of(WORKDAYS, (EASTER,), PARIS)
FRIDAY = datetime(2026, 4, 3, 16, 0, tzinfo=ZoneInfo(PARIS))
HOUR = timedelta(hours=1)


def paris(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, minute, tzinfo=ZoneInfo(PARIS))


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (FRIDAY, 1, paris(3, 17)),
        (FRIDAY, 1.5, paris(7, 9, 30)),  # over the weekend and Easter Monday
        (paris(4, 12), 0, paris(7, 9)),
        (paris(7, 3), 8, paris(7, 17)),
        (paris(7, 12), 8, paris(8, 12)),
        (FRIDAY, 41, paris(13, 17)),
    ],
)
def test_work_is_done_within_the_hours_of_work(
    start: datetime, hours: float, end: datetime
) -> None:
    assert CALENDAR.after(start, hours * HOUR) == end


def test_an_hour_that_the_clock_skips_is_not_worked() -> None:
    nights = Calendar.of(BusinessHours(sunday=("01:00-04:00",)), (), PARIS)
    spring, autumn = (datetime(2026, *day, tzinfo=UTC) for day in ((3, 28), (10, 24)))
    assert nights.between(spring, spring + timedelta(days=2)) == 2 * HOUR
    assert nights.between(autumn, autumn + timedelta(days=2)) == 4 * HOUR


def test_a_day_ends_at_midnight() -> None:
    late = Calendar.of(BusinessHours(monday=("22:00-24:00",), tuesday=("00:00-01:00",)), (), PARIS)
    assert late.after(paris(13, 23), 2 * HOUR) == paris(14, 1)


def test_a_minute_a_week_ends_at_the_horizon() -> None:
    rare = Calendar.of(BusinessHours(monday=("09:00-09:01",)), (), PARIS)
    assert rare.after(FRIDAY, 1000 * HOUR) == FRIDAY + HORIZON


moments = st.timedeltas(timedelta(0), timedelta(days=270)).map(
    lambda since: datetime(2026, 3, 1, tzinfo=UTC) + since
)


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(hours=200)))
def test_what_is_added_lies_between(start: datetime, work: timedelta) -> None:
    assert CALENDAR.between(start, CALENDAR.after(start, work)) == work


def ticket(status: str, at: datetime = FRIDAY, last: str | None = None) -> Ticket:
    reply = last and LastReply.model_validate({"at": at, "kind": last, "by": "Ann"})
    values: dict[str, Any] = {"status": status, "updated_at": at, "last_reply": reply}
    return Ticket.model_construct(**values)  # what the rules read


def policy(**auto_close: object) -> Policy:
    settings = PolicySettings(auto_close=AutoClose.model_validate(auto_close), holidays=(EASTER,))
    return clock.policy(settings.model_dump_json(), PARIS)


PLAIN = policy()


def begun(policy: Policy = PLAIN) -> Clock:
    return clock.follow(NOTHING, "open", ticket("auto-close"), policy, replied=None)


def test_a_round_reminds_and_then_closes() -> None:
    assert begun().moments == {"chaser": FRIDAY + 48 * HOUR, "close": FRIDAY + 72 * HOUR}
    at_work = begun(policy(business_time=True, chaser_hours=2, close_hours=10))
    assert at_work.moments == {"chaser": paris(7, 10), "close": paris(8, 10)}
    assert begun(policy(enabled=False)) == NOTHING


@pytest.mark.parametrize("status", ["open", "working", "closed", "hold"])
def test_another_status_ends_the_round(status: str) -> None:
    chased = clock.chased(begun(), PLAIN, FRIDAY + 48 * HOUR)
    for before in (begun(), chased):
        assert clock.follow(before, "auto-close", ticket(status), PLAIN, replied=None) == NOTHING


def test_a_reply_of_the_team_begins_a_round_anew() -> None:
    """With as much time as was said before, if that is more."""
    now = FRIDAY + 50 * HOUR
    chased = clock.chased(begun(), PLAIN, FRIDAY + 48 * HOUR)
    replied = ticket("auto-close", now)
    again = clock.follow(chased, "auto-close", replied, PLAIN, replied="public")
    assert again.moments == {"chaser": now + 48 * HOUR, "close": now + 72 * HOUR}
    assert again.chased_at is None
    put_off = clock.put_off(begun(), ticket("auto-close"), PLAIN, 1000)
    still = clock.follow(put_off, "auto-close", replied, PLAIN, replied="public")
    assert still.moments["close"] == FRIDAY + 1000 * HOUR
    assert clock.follow(begun(), "auto-close", replied, PLAIN, replied="internal") == begun()


def test_a_reminder_comes_once_in_a_round() -> None:
    now = FRIDAY + 48 * HOUR
    chased = clock.chased(begun(), PLAIN, now)
    assert (chased.moments, chased.chased_at) == ({"close": FRIDAY + 72 * HOUR}, now)
    later = clock.put_off(chased, ticket("auto-close", now), PLAIN, 100)
    assert (later.moments, later.chased_at) == ({"close": now + 100 * HOUR}, now)


def test_a_late_reminder_puts_off_the_closing() -> None:
    late = FRIDAY + 90 * HOUR
    assert clock.chased(begun(), PLAIN, late).moments == {"close": late + 24 * HOUR}


def test_put_off_before_the_reminder_it_comes_later_too() -> None:
    later = clock.put_off(begun(), ticket("auto-close", FRIDAY + HOUR), PLAIN, 100)
    assert later.moments == {"chaser": FRIDAY + 77 * HOUR, "close": FRIDAY + 101 * HOUR}
    sooner = clock.put_off(begun(), ticket("auto-close", FRIDAY), PLAIN, 10)
    assert sooner.moments == {"chaser": FRIDAY + 5 * HOUR, "close": FRIDAY + 10 * HOUR}
    with pytest.raises(Conflict):
        clock.put_off(NOTHING, ticket("open"), PLAIN, 10)


def test_on_hold_it_waits_by_rule() -> None:
    rule = policy(wait_hours=24)
    held = clock.follow(NOTHING, "open", ticket("hold"), rule, replied=None)
    assert held.moments == {"wait": FRIDAY + 24 * HOUR}
    answered = clock.follow(held, "hold", ticket("hold", FRIDAY + HOUR), rule, replied="public")
    assert answered.moments == {"wait": FRIDAY + 25 * HOUR}
    assert clock.follow(NOTHING, "open", ticket("hold"), PLAIN, replied=None) == NOTHING


@pytest.mark.parametrize(
    ("status", "last", "waits"),
    [
        ("hold", "public", True),
        ("hold", "client", False),
        ("hold", None, False),
        ("open", "public", False),
    ],
)
def test_who_waits_for_the_client(status: str, last: str | None, waits: bool) -> None:
    assert clock.waits_for_client(ticket(status, last=last)) is waits


def test_the_alarm_is_the_first_moment() -> None:
    assert NOTHING.alarm is None
    assert begun().alarm == FRIDAY + 48 * HOUR
    assert begun().due(FRIDAY + 100 * HOUR) == ["chaser", "close"]
    assert begun().due(FRIDAY + 48 * HOUR) == ["chaser"]
    assert Clock.model_validate_json(begun().model_dump_json()) == begun()
