"""How agents are called in notes, and when they are told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notify_desk import NOON

from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import AgentNotifications, QuietHours
from deskwire.errors import Invalid
from notify_svc.domain.agents import Later, check, handles, mentioned, plan


def wants(note: str = "now", **fields: Any) -> AgentNotifications:
    return AgentNotifications.model_validate({"agent_id": 1, "events": {"note": note}} | fields)


def at(day: int, clock: str) -> datetime:
    """A time of March 2026, in UTC; the 2nd is a Monday."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


NIGHT = QuietHours(start="22:00", end="07:00")
LUNCH = QuietHours(start="12:00", end="13:00")
BERLIN: dict[str, Any] = {"timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("wanted", "now", "expected"),
    [
        (wants(), at(2, "09:30"), Later()),
        (wants("off"), at(2, "09:30"), None),
        (wants("hourly"), at(2, "09:30"), Later(at(2, "10:00"), "hourly")),
        (wants("hourly"), at(2, "10:00"), Later(at(2, "11:00"), "hourly")),
        (wants("daily"), at(2, "07:59"), Later(at(2, "08:00"), "daily")),
        (wants("daily"), at(2, "08:00"), Later(at(3, "08:00"), "daily")),
        (wants("daily", **BERLIN), at(2, "06:59"), Later(at(2, "07:00"), "daily")),
        (wants("daily", digest_hour=17), at(2, "09:30"), Later(at(2, "17:00"), "daily")),
        (wants("weekly"), at(2, "07:00"), Later(at(2, "08:00"), "weekly")),
        (wants("weekly"), at(2, "09:30"), Later(at(9, "08:00"), "weekly")),
        (wants("weekly", digest_day="friday"), at(2, "09:30"), Later(at(6, "08:00"), "weekly")),
        (wants(quiet_hours=NIGHT), at(2, "21:59"), Later()),
        (wants(quiet_hours=NIGHT), at(2, "22:00"), Later(at(3, "07:00"))),
        (wants(quiet_hours=NIGHT), at(2, "06:59"), Later(at(2, "07:00"))),
        (wants(quiet_hours=NIGHT), at(2, "07:00"), Later()),
        (wants(quiet_hours=NIGHT, **BERLIN), at(2, "21:30"), Later(at(3, "06:00"))),
        (wants(quiet_hours=LUNCH), at(2, "12:30"), Later(at(2, "13:00"))),
        (wants(quiet_hours=LUNCH), at(2, "11:59"), Later()),
        (wants("hourly", quiet_hours=NIGHT), at(2, "22:10"), Later(at(3, "07:00"), "hourly")),
        (
            wants("daily", quiet_hours=LUNCH, digest_hour=12),
            at(2, "09:00"),
            Later(at(2, "13:00"), "daily"),
        ),
    ],
)
def test_when_an_agent_is_told(
    wanted: AgentNotifications, now: datetime, expected: Later | None
) -> None:
    assert plan(wanted, "note", now) == expected


def test_the_clocks_going_forward_move_no_digest() -> None:
    saturday = datetime(2026, 3, 28, 12, tzinfo=UTC)
    later = plan(wants("daily", **BERLIN), "note", saturday)
    assert later == Later(datetime(2026, 3, 29, 6, tzinfo=UTC), "daily")


times = st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))
clocks = st.times().map(lambda time: time.strftime("%H:%M"))
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])


@given(
    times,
    st.sampled_from(["hourly", "daily", "weekly"]),
    st.none() | st.builds(QuietHours, start=clocks, end=clocks),
    zones,
    st.integers(0, 23),
)
def test_a_digest_is_always_ahead_and_the_one_after_it_later_still(
    now: datetime, telling: str, quiet: QuietHours | None, zone: str, hour: int
) -> None:
    wanted = wants(telling, quiet_hours=quiet, timezone=zone, digest_hour=hour)
    first = plan(wanted, "note", now)
    assert first is not None
    assert first.at is not None
    assert now < first.at <= now + timedelta(days=9)
    second = plan(wanted, "note", first.at)
    assert second is not None
    assert second.at is not None
    assert first.at < second.at


@given(times, st.builds(QuietHours, start=clocks, end=clocks), zones)
def test_what_waits_for_quiet_hours_waits_less_than_a_day(
    now: datetime, quiet: QuietHours, zone: str
) -> None:
    later = plan(wants(quiet_hours=quiet, timezone=zone), "note", now)
    assert later is not None
    assert later.at is None or now < later.at <= now + timedelta(hours=25)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"digest_hour": 24}, "digest_hour"),
        ({"quiet_hours": QuietHours(start="7:00", end="08:00")}, "quiet_hours"),
        ({"quiet_hours": QuietHours(start="07:00", end="24:00")}, "quiet_hours"),
    ],
)
def test_hours_that_there_are_not(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check(wants(**fields))
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@ann can you look?", ["ann"]),
        ("Over to @Ann.Smith, and @bob!", ["ann.smith", "bob"]),
        ("(@ann)", ["ann"]),
        ("mail ann@example.com", []),
        ("@ann @ann", ["ann"]),
        ("see https://example.com/@ann", ["ann"]),
        ("@", []),
        ("@ann.", ["ann"]),
    ],
)
def test_who_is_called_in_a_note(text: str, expected: list[str]) -> None:
    assert mentioned(Body(text=text)) == expected


def test_what_an_agent_is_called() -> None:
    assert handles("Ann Smith", "a.smith@example.com") == [
        "a.smith",
        "ann",
        "ann.smith",
        "annsmith",
    ]
    assert handles("", "ann@example.com") == ["ann"]
