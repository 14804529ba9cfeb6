"""What follows from an attempt to send a mail."""

from itertools import pairwise
from typing import Any

import pytest

from notify_svc.domain.attempts import (
    GIVE_UP_SECONDS,
    REPEATS,
    Ambiguous,
    NotTried,
    Refused,
    Result,
    Sent,
    Unreachable,
    Unsendable,
    Verdict,
    judge,
    never_arrives,
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("550 5.1.1 <a@b.test>: unknown", True),
        ("bounced: 5.1.10 hostunknown", True),
        ("550 5.1.0 rejected", False),
        ("550 5.7.1 no", False),
        ("550 unknown user at 15.1.1.1", False),
        ("450 4.1.1 try again", False),
        ("", False),
    ],
)
def test_what_says_that_nothing_will_ever_arrive(answer: str, expected: bool) -> None:
    assert never_arrives(answer) is expected


LONG = float(GIVE_UP_SECONDS)


@pytest.mark.parametrize(
    ("result", "age", "ambiguous", "expected"),
    [
        (Sent("250 ok"), 0, 0, Verdict("sent", "250 ok")),
        (Sent("250 ok"), LONG, REPEATS, Verdict("sent", "250 ok")),
        (Refused(550, "no such user"), 0, 0, Verdict("failed", "550 no such user")),
        (Refused(451, "busy"), 0, 0, Verdict("queued", "451 busy", 60)),
        (Refused(451, "busy"), LONG, 0, Verdict("failed", "given up after 3 days: 451 busy")),
        (Refused(-1, "?"), 0, 0, Verdict("queued", "-1 ?", 60)),
        (Unreachable("refused"), 0, 0, Verdict("queued", "refused", 5)),
        (Unreachable("refused"), 3600, 0, Verdict("queued", "refused", 300)),
        (Unreachable("refused"), LONG, 0, Verdict("failed", "given up after 3 days: refused")),
        (Unsendable("no address"), 0, 0, Verdict("failed", "no address")),
        (Ambiguous("cut"), LONG, 0, Verdict("uncertain", "cut", 600)),
        (Ambiguous("cut"), 0, REPEATS - 1, Verdict("uncertain", "cut", 600)),
        (Ambiguous("cut"), 0, REPEATS, Verdict("uncertain", "cut", None)),
        (NotTried(), LONG, 1, Verdict("queued", None, 0, tried=False)),
    ],
)
def test_what_follows_an_attempt(
    result: Result, age: float, ambiguous: int, expected: Verdict
) -> None:
    assert judge(result, age=age, ambiguous=ambiguous, uncertain_retry=600) == expected


def attempts(result: Result) -> list[float]:
    """The ages at which a mail is tried when every attempt ends like this."""
    ages: list[Any] = [0.0]
    while pause := judge(result, age=ages[-1], ambiguous=0, uncertain_retry=600).retry_seconds:
        ages.append(ages[-1] + pause)
    return ages


def test_a_deferred_mail_is_tried_for_three_days_at_growing_distances() -> None:
    ages = attempts(Refused(451, "busy"))
    pauses = [later - earlier for earlier, later in pairwise(ages)]
    assert pauses[:4] == [60, 300, 900, 3600]
    assert set(pauses[4:]) == {14_400}
    assert GIVE_UP_SECONDS <= ages[-1] < GIVE_UP_SECONDS + 14_400


def test_a_server_that_comes_back_gets_everything_within_five_minutes() -> None:
    ages = attempts(Unreachable("refused"))
    pauses = [later - earlier for earlier, later in pairwise(ages)]
    assert ages[:3] == [0, 5, 10]
    assert max(pauses) == 300
    assert pauses == sorted(pauses)
