"""Rules on the wall clock: daylight saving, missed runs, what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskwire.errors import Invalid
from scheduler_svc.domain import (
    first_run,
    latest_run,
    next_run,
    occurrence,
)

PARIS = "Europe/Paris"
SPRING = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # at 01:00 UTC the clock goes from 02:00 to 03:00
AUTUMN = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # at 01:00 UTC from 03:00 to 02:00


def runs(cron: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    while len(found) < count:
        after = next_run(cron, timezone, after)
        found.append(after)
    return found


def occurrences(cron: str, timezone: str, after: datetime, count: int) -> list[str]:
    return [occurrence(run, timezone) for run in runs(cron, timezone, after, count)]


def test_a_skipped_time_runs_at_the_end_of_the_gap() -> None:
    assert runs("30 2 * * *", PARIS, SPRING, 2) == [
        datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
        datetime(2026, 3, 30, 0, 30, tzinfo=UTC),
    ]
    assert occurrences("30 2 * * *", PARIS, SPRING, 1) == ["2026-03-29T03:00"]


def test_two_times_in_the_gap_run_once() -> None:
    assert occurrences("0,30 2,3 * * *", PARIS, SPRING, 3) == [
        "2026-03-29T03:00",
        "2026-03-29T03:30",
        "2026-03-30T02:00",
    ]


def test_a_time_that_comes_twice_runs_the_first_time() -> None:
    assert runs("30 2 * * *", PARIS, AUTUMN, 2) == [
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 26, 1, 30, tzinfo=UTC),
    ]


def test_an_hourly_rule_skips_the_hour_that_comes_again() -> None:
    assert occurrences("*/30 * * * *", PARIS, AUTUMN, 5) == [
        "2026-10-25T01:30",
        "2026-10-25T02:00",
        "2026-10-25T02:30",
        "2026-10-25T03:00",
        "2026-10-25T03:30",
    ]


def test_a_rule_made_in_the_second_pass_waits_for_the_next_day() -> None:
    second_pass = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert occurrences("30 2 * * *", PARIS, second_pass, 1) == ["2026-10-26T02:30"]


def test_a_midnight_that_does_not_exist() -> None:
    before = datetime(2026, 9, 5, 12, 0, tzinfo=UTC)  # Santiago goes from 24:00 to 01:00
    assert occurrences("0 0 * * *", "America/Santiago", before, 2) == [
        "2026-09-06T01:00",
        "2026-09-07T00:00",
    ]


def test_the_wall_time_stays_over_the_year() -> None:
    of_a_year = runs("0 9 * * mon", PARIS, SPRING, 52)
    assert {run.astimezone(ZoneInfo(PARIS)).hour for run in of_a_year} == {9}
    assert {run.hour for run in of_a_year} == {7, 8}


def test_of_missed_runs_the_latest_counts() -> None:
    due = datetime(2026, 5, 1, 7, 0, tzinfo=UTC)
    late = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    assert latest_run("0 9 * * *", PARIS, due, late) == datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
    assert latest_run("0 9 * * *", PARIS, due, due) == due
    assert latest_run("0 9 * * *", PARIS, due, due + timedelta(microseconds=1)) == due
    assert latest_run("0 9 1 * *", PARIS, due, late) == due


def test_the_latest_run_seen_from_the_second_pass() -> None:
    first_pass = [datetime(2026, 10, 25, 0, minute, tzinfo=UTC) for minute in (0, 30)]
    second_pass = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert latest_run("0,30 2 * * *", PARIS, first_pass[0], second_pass) == first_pass[1]


@pytest.mark.parametrize(
    ("cron", "timezone", "field"),
    [
        ("", "UTC", "cron"),
        ("0 9 * *", "UTC", "cron"),
        ("0 0 9 * * *", "UTC", "cron"),
        ("60 9 * * *", "UTC", "cron"),
        ("0 9 * * someday", "UTC", "cron"),
        ("@daily", "UTC", "cron"),
        ("0 9 * * \0", "UTC", "cron"),
        ("0 9 30 2 *", "UTC", "cron"),
        ("0 9 31 4,6 *", "UTC", "cron"),
        ("0 9 * * " + "1," * 100 + "1", "UTC", "cron"),
        ("* * * * *", "UTC", "cron"),
        ("*/4 0 1 1 *", "UTC", "cron"),
        ("0,58 * * * *", "UTC", "cron"),
        ("0,58 0,23 * * *", "UTC", "cron"),
        ("0 9 * * *", "Europe/Atlantis", "timezone"),
        ("0 9 * * *", "", "timezone"),
        ("0 9 * * *", "../../etc/passwd", "timezone"),
        ("0 9 * * *", "Europe", "timezone"),
        ("0 9 * * *", "localtime", "timezone"),
        ("0 9 * * *", "UTC\0", "timezone"),
    ],
)
def test_refused(cron: str, timezone: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        first_run(cron, timezone, SPRING)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "cron",
    ["*/5 * * * *", "0,57 12 * * *", "0 9 29 2 *", "0 0 29 2 */7", "59 23 L * *", "5/55 * * * *"],
)
def test_taken(cron: str) -> None:
    assert first_run(cron, "UTC", SPRING) > SPRING


minutes = st.sampled_from(["0", "30", "*/5", "15,45", "*/20", "7-50/11"])
hours = st.sampled_from(["*", "2", "1-3", "*/2", "0,2,23", "9-17"])
days = st.sampled_from(["* * *", "* * sun", "25-31 * *", "L * *", "29 3,10 *", "* * 0#4"])
zones = st.sampled_from([PARIS, "UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
changes = [datetime(2026, month, day, tzinfo=UTC) for month, day in ((3, 28), (4, 2), (10, 24))]
moments = st.builds(
    lambda start, hours: start + hours,
    st.sampled_from(changes),
    st.timedeltas(timedelta(0), timedelta(days=9)),
)


@given(minutes, hours, days, zones, moments)
@settings(max_examples=150, deadline=None)
def test_runs_go_forward_and_no_occurrence_comes_twice(
    minute: str, hour: str, day: str, timezone: str, moment: datetime
) -> None:
    cron = f"{minute} {hour} {day}"
    found = runs(cron, timezone, moment, 30)
    assert found[0] > moment
    assert all(later - run > timedelta(0) for run, later in pairwise(found))
    names = [occurrence(run, timezone) for run in found]
    assert len(set(names)) == len(names)


@given(minutes, hours, days, zones, moments, st.timedeltas(timedelta(0), timedelta(days=3)))
@settings(max_examples=150, deadline=None)
def test_the_latest_run_is_the_last_one_forward(
    minute: str, hour: str, day: str, timezone: str, moment: datetime, late: timedelta
) -> None:
    cron = f"{minute} {hour} {day}"
    due = next_run(cron, timezone, moment)
    now = last = due + late
    forward = due
    while forward <= now:
        last, forward = forward, next_run(cron, timezone, forward)
    assert latest_run(cron, timezone, due, now) == last
