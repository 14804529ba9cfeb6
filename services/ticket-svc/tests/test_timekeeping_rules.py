"""The rules of time worked, without a database."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.actors import Author, Named
from deskwire.contracts.timekeeping import LONGEST_TIME, TimeChanges, TimeEntry
from deskwire.errors import Conflict, Forbidden, Invalid, Rejected
from ticket_svc.domain import timekeeping as rules

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANN = Author(type="agent", id=3, name="Ann")
INTEGRATION = Author(type="system", name="integration")

SECONDS = st.integers(1, LONGEST_TIME)
MOMENTS = st.datetimes(datetime(2000, 1, 2), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the strategy wants naive bounds
IDS = st.integers(1, 2**53 - 1)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "agent_id": IDS,
        "seconds": SECONDS,
        "started_at": MOMENTS,
        "billable": st.booleans(),
        "note": st.text(max_size=5),
    },
)


def time(seconds: int | None = 600, **fields: Any) -> TimeEntry:
    values = {
        "id": 1,
        "ticket_id": 1,
        "origin_ticket_id": 1,
        "reference": "TCK-1",
        "agent": Named(id=3, name="Ann"),
        "seconds": seconds,
        "started_at": NOW - timedelta(hours=1),
        "billable": True,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return TimeEntry.model_validate(values | fields)


@given(SECONDS)
def test_what_ends_now_is_always_allowed(seconds: int) -> None:
    rules.check_time(seconds, rules.beginning(seconds, NOW), NOW)


@given(st.integers().filter(lambda n: not 1 <= n <= LONGEST_TIME))
def test_other_lengths_never(seconds: int) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_time(seconds, min(rules.beginning(max(seconds, 0), NOW), NOW), NOW)
    assert refused.value.field == "seconds"


@given(st.datetimes(timezones=st.timezones()))
def test_any_moment_is_judged(started_at: datetime) -> None:
    """From year 1 to 9999 in whatever zone: refused or not, nothing else happens."""
    allowed = rules.EARLIEST <= started_at <= NOW + rules.CLOCK_SKEW
    with nullcontext() if allowed else pytest.raises(Invalid, match="past"):
        rules.check_time(60, started_at, NOW)


def test_clocks_may_be_a_little_ahead() -> None:
    rules.check_time(60, NOW + timedelta(minutes=4), NOW)
    with pytest.raises(Invalid):
        rules.check_time(60, NOW + timedelta(minutes=6), NOW)


@given(WANTED)
def test_a_change_is_what_differs_and_is_none_when_repeated(wanted: dict[str, Any]) -> None:
    before = time()
    changed = rules.differences(before, TimeChanges(**wanted).values, NOW)
    assert changed.items() <= wanted.items()
    after = rules.current_values(before) | changed
    assert after == rules.current_values(before) | wanted
    again = {"agent": Named(id=after.pop("agent_id"), name="Ann")} | after
    assert rules.differences(before.model_copy(update=again), wanted, NOW) == {}


@given(WANTED)
def test_a_running_timer_keeps_its_agent_and_counts_by_itself(wanted: dict[str, Any]) -> None:
    fixed = "seconds" in wanted or wanted.get("agent_id", 3) != 3
    with pytest.raises(Conflict) if fixed else nullcontext():
        rules.differences(time(None), wanted, NOW)


@given(st.none() | IDS)
def test_an_agent_keeps_its_own_time_alone(asked: int | None) -> None:
    if asked in (None, ANN.id):
        assert rules.agent_of(asked, ANN) == ANN.id
    else:
        with pytest.raises(Forbidden):
            rules.agent_of(asked, ANN)
    if asked is not None:
        assert rules.agent_of(asked, INTEGRATION) == asked


def test_who_is_no_agent_names_one() -> None:
    with pytest.raises(Invalid):
        rules.agent_of(None, INTEGRATION)
    for whose in (None, Named(id=4, name="Bob")):
        rules.check_own(time(agent=whose), INTEGRATION)
        with pytest.raises(Rejected):
            rules.check_own(time(agent=whose), ANN)
    rules.check_own(time(), ANN)


@given(st.none() | SECONDS, st.booleans())
def test_time_counts_once_it_is_known_and_there(seconds: int | None, deleted: bool) -> None:
    it = time(seconds, deleted_at=NOW if deleted else None)
    assert rules.counted(it) == (0 if deleted or seconds is None else seconds)
    assert (rules.shown(it) is None) == deleted
    assert rules.counted(None) == 0
