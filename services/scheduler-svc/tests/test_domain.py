"""Rules on the wall clock: daylight saving, missed runs, what is refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deskwire.contracts.schedules import Schedule, Timing
from deskwire.contracts.settings import PolicySettings
from deskwire.errors import Invalid
from scheduler_svc.domain import runs as domain
from scheduler_svc.domain.runs import Plan, first_run

PARIS = "Europe/Paris"
SPRING = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)  # at 01:00 UTC the clock goes from 02:00 to 03:00
AUTUMN = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # at 01:00 UTC from 03:00 to 02:00


def planned(cron: str | None = None, timezone: str = "UTC", **timing: object) -> Plan:
    """``off``: holidays of a desk that works from Monday to Friday."""
    holidays = timing.pop("off", ())
    values = {"cron": cron, "timezone": timezone} | timing
    calendar = PolicySettings.model_validate({"holidays": holidays})
    return domain.plan(Timing.model_validate(values), calendar)


def runs(cron: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    return [run.at for run in domain.preview(planned(cron, timezone), after, count)]


def occurrences(cron: str, timezone: str, after: datetime, count: int) -> list[str]:
    return [run.occurrence for run in domain.preview(planned(cron, timezone), after, count)]


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


def come(plan: Plan, due: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """What has a ticket of what came since one was due, and when the next one is."""
    found, following = domain.due(plan, plan.wall(due), now)
    return [run.at for run in found], following.at if following else None


def test_of_missed_runs_the_latest_counts() -> None:
    daily = planned("0 9 * * *", PARIS)
    due = datetime(2026, 5, 1, 7, 0, tzinfo=UTC)
    late = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    next_day = datetime(2026, 5, 5, 7, 0, tzinfo=UTC)
    assert come(daily, due, late) == ([datetime(2026, 5, 4, 7, 0, tzinfo=UTC)], next_day)
    assert come(daily, due, due)[0] == [due]
    assert come(planned("0 9 1 * *", PARIS), due, late)[0] == [due]


def test_all_that_was_missed_or_nothing() -> None:
    due = datetime(2026, 5, 1, 7, 0, tzinfo=UTC)
    late = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
    found, following = come(planned("0 9 * * *", PARIS, catch_up="all"), due, late)
    assert found == [due + timedelta(days=n) for n in range(4)]
    nothing = planned("0 9 * * *", PARIS, catch_up="none")
    assert come(nothing, due, late) == ([], following)
    assert come(nothing, due, due + timedelta(minutes=14))[0] == [due]
    often = planned("*/5 * * * *", catch_up="all")
    found, following = come(often, due, late)
    assert (len(found), following) == (100, due + timedelta(minutes=500))


def test_the_latest_run_seen_from_the_second_pass() -> None:
    first_pass = [datetime(2026, 10, 25, 0, minute, tzinfo=UTC) for minute in (0, 30)]
    second_pass = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert come(planned("0,30 2 * * *", PARIS), first_pass[0], second_pass)[0] == [first_pass[1]]


def walls(plan: Plan, count: int, after: datetime = SPRING) -> list[str]:
    return [run.occurrence for run in domain.preview(plan, after, count)]


JANUARY = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)  # 09:00 in Paris


@pytest.mark.parametrize(
    ("every", "days"),
    [
        ("weekly", ["01-31", "02-07", "02-14"]),
        ("monthly", ["01-31", "02-28", "03-31"]),
        ("quarterly", ["01-31", "04-30", "07-31"]),
        ("biannually", ["01-31", "07-31", "01-31"]),
        ("annually", ["01-31", "01-31", "01-31"]),
    ],
)
def test_the_names_of_itflow_do_not_drift(every: str, days: list[str]) -> None:
    plan = planned(None, PARIS, every=every, starts_at=JANUARY)
    before = JANUARY - timedelta(seconds=1)
    assert [wall[5:10] for wall in walls(plan, 3, before)] == days
    assert {wall[11:] for wall in walls(plan, 40, before)} == {"09:00"}
    (later,) = walls(plan, 1, datetime(2090, 1, 1, tzinfo=UTC))
    if every == "weekly":
        assert datetime.fromisoformat(later).weekday() == JANUARY.weekday()
    else:
        assert (datetime.fromisoformat(later) + timedelta(days=1)).day == 1


def test_a_leap_day_comes_on_the_28th_in_other_years() -> None:
    plan = planned(every="annually", starts_at=datetime(2028, 2, 29, 9, 0, tzinfo=UTC))
    found = walls(plan, 5)
    assert [wall[:10] for wall in found] == [
        "2028-02-29",
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
    ]


@pytest.mark.parametrize(
    ("rrule", "days"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=-1", ["01-31", "02-28", "03-31"]),
        ("FREQ=MONTHLY", ["01-31", "03-31", "05-31"]),  # RFC 5545: no day is made up
        ("RRULE:FREQ=MONTHLY;BYDAY=1MO", ["02-02", "03-02", "04-06"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SA", ["01-31", "02-14", "02-28"]),
        ("freq=yearly;byday=-1fr;bymonth=11", ["11-27", "11-26", "11-24"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", ["02-27", "03-31", "04-30"]),
    ],
)
def test_rules_of_rfc_5545(rrule: str, days: list[str]) -> None:
    plan = planned(None, PARIS, rrule=rrule, starts_at=JANUARY)
    assert [wall[5:10] for wall in walls(plan, 3, JANUARY - timedelta(seconds=1))] == days


def test_an_interval_keeps_its_beat_however_late_it_is_asked() -> None:
    plan = planned(None, PARIS, rrule="FREQ=DAILY;INTERVAL=10", starts_at=JANUARY)
    (later,) = walls(plan, 1, datetime(2060, 6, 1, tzinfo=UTC))
    days = datetime.fromisoformat(later) - datetime.fromisoformat("2026-01-31T09:00")
    assert days == timedelta(days=days.days // 10 * 10)


def test_it_starts_and_ends() -> None:
    plan = planned("0 9 * * *", starts_at="2026-05-01T09:00:00Z", ends_at="2026-05-03T09:00:00Z")
    assert walls(plan, 9) == ["2026-05-01T09:00", "2026-05-02T09:00", "2026-05-03T09:00"]
    last = datetime(2026, 5, 3, 9, tzinfo=UTC)
    assert come(plan, last, last) == ([last], None)


def test_a_ticket_is_opened_before_it_is_due() -> None:
    plan = planned("0 9 10 * *", lead_seconds=86_400)
    run = first_run(plan, datetime(2026, 5, 9, 12, tzinfo=UTC))
    assert (run.at.day, run.opens_at.day) == (10, 9)
    found, following = domain.due(plan, run.wall, datetime(2026, 5, 9, 12, tzinfo=UTC))
    assert [each.occurrence for each in found] == ["2026-05-10T09:00"]
    assert following is not None
    assert (following.at.month, following.at.day) == (6, 10)


@pytest.mark.parametrize(
    ("days_off", "days"),
    [
        ("open", ["05", "06", "07"]),
        ("skip", ["07", "08", "09"]),
        ("before", ["03", "07", "08"]),
        ("after", ["07", "08", "09"]),
    ],
)
def test_days_off(days_off: str, days: list[str]) -> None:
    """From Easter Sunday on; the two that fall on one day are one."""
    plan = planned("0 9 * * *", PARIS, days_off=days_off, off=["2026-04-06"])
    sunday = datetime(2026, 4, 3 if days_off == "before" else 5, 1, tzinfo=UTC)
    assert [wall[8:10] for wall in walls(plan, 3, sunday)] == days


def test_a_month_ends_on_its_last_day_of_work() -> None:
    plan = planned(None, PARIS, every="monthly", starts_at=JANUARY, days_off="before")
    assert [wall[5:10] for wall in walls(plan, 4, JANUARY - timedelta(days=9))] == [
        "01-30",
        "02-27",
        "03-31",
        "04-30",
    ]


def test_what_is_always_off_never_runs() -> None:
    with pytest.raises(Invalid):
        first_run(planned("0 9 * * sun", days_off="skip"), SPRING)


def test_agents_take_turns() -> None:
    values = {"id": 1, "name": "x", "next_run_at": None, "created_at": SPRING, "rotation": [7, 8]}
    ticket = {"subject": "x", "body": {"text": "x"}}
    schedule = Schedule.model_validate(values | {"ticket": ticket, "lead_seconds": 60})
    run = first_run(planned("0 9 * * *"), SPRING)
    orders = [domain.order(schedule, "x", number, run).ticket for number in range(3)]
    assert [order.assigned_to for order in orders] == [7, 8, 7]
    assert {order.due_at for order in orders} == {run.at}


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
        ("0 9 * * " + "1," * 300 + "1", "UTC", "cron"),
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
def test_rules_and_zones_that_cannot_be_are_refused(cron: str, timezone: str, field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        planned(cron, timezone)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("timing", "field"),
    [
        ({}, "cron"),
        ({"cron": "0 9 * * *", "every": "weekly"}, "cron"),
        ({"every": "weekly", "starts_at": None}, "starts_at"),
        ({"every": "weekly", "starts_at": "1969-01-01T00:00:00Z"}, "starts_at"),
        ({"every": "weekly", "ends_at": "9999-01-01T00:00:00Z"}, "ends_at"),
        ({"every": "weekly", "ends_at": "2026-01-30T00:00:00Z"}, "ends_at"),
        *(
            ({"rrule": rrule}, "rrule")
            for rrule in (
                "FREQ=SECONDLY",
                "FREQ=MINUTELY;INTERVAL=60",
                "FREQ=HOURLY",
                "FREQ=DAILY;BYSECOND=0,1",
                "FREQ=DAILY;BYMINUTE=0,4",
                "FREQ=DAILY;BYHOUR=0,23;BYMINUTE=0,58",
                "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
                "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
                "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
                "FREQ=DAILY;INTERVAL=0",
                "FREQ=DAILY;INTERVAL=1000000",
                "FREQ=DAILY;BYHOUR=25",
                "FREQ=DAILY;BYEASTER=1",
                "FREQ=DAILY;COUNT=3",
                "FREQ=DAILY;FREQ=DAILY",
                "FREQ=DAILY\nEXDATE:20260101T000000",
                "BYDAY=MO",
                "FREQ",
                "",
                "A" * 10_000,
            )
        ),
    ],
)
def test_schedules_that_cannot_be_are_refused(timing: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        planned(**({"starts_at": JANUARY} | timing))  # type: ignore[arg-type]  # of one kind each
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "cron",
    ["*/5 * * * *", "0,57 12 * * *", "0 9 29 2 *", "0 0 29 2 */7", "59 23 L * *", "5/55 * * * *"],
)
def test_unusual_cron_rules_are_taken(cron: str) -> None:
    assert first_run(planned(cron), SPRING).at > SPRING


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
    plan = planned(cron, timezone)
    found = [run.at for run in domain.preview(plan, moment, 30)]
    assert found[0] > moment
    assert all(later - run > timedelta(0) for run, later in pairwise(found))
    names = [run.occurrence for run in domain.preview(plan, moment, 30)]
    assert len(set(names)) == len(names)


@given(minutes, hours, days, zones, moments, st.timedeltas(timedelta(0), timedelta(days=1)))
@settings(max_examples=50, deadline=None)
def test_the_latest_run_is_the_last_one_forward(
    minute: str, hour: str, day: str, timezone: str, moment: datetime, late: timedelta
) -> None:
    plan = planned(f"{minute} {hour} {day}", timezone)
    first = first_run(plan, moment)
    now = first.at + late
    forward = [first, *domain.preview(plan, first.at, 300)]
    last = [run for run in forward if run.at <= now][-1:]
    assert domain.due(plan, first.wall, now) == (last, next(r for r in forward if r.at > now))


@given(
    st.sampled_from(["weekly", "monthly", "quarterly", "biannually", "annually"]),
    zones,
    st.timedeltas(timedelta(0), timedelta(days=3000)),
    st.integers(0, 40),
)
@settings(max_examples=100, deadline=None)
def test_where_it_is_asked_from_makes_no_difference(
    every: str, timezone: str, offset: timedelta, number: int
) -> None:
    start = JANUARY + offset
    plan = planned(None, timezone, every=every, starts_at=start)
    one_by_one = domain.preview(plan, start - timedelta(days=1), number + 1)
    assert domain.preview(plan, one_by_one[-1].at - timedelta(seconds=1), 1) == one_by_one[-1:]
