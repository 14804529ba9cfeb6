"""Who gets which mail, and what follows from an attempt."""

from itertools import pairwise
from typing import Any

import pytest
from notify_desk import ALICE, ANN, opened, replied

from deskwire.contracts.mail import Body
from deskwire.contracts.people import Author, Person
from notify_svc.domain import (
    GIVE_UP_SECONDS,
    REPEATS,
    Ambiguous,
    NotTried,
    Refused,
    Result,
    Sent,
    Told,
    Unreachable,
    Unsendable,
    Verdict,
    judge,
    mails,
)

CONTACT = Author(type="contact", id=5, name="Alice", email="Alice@Client.test")
BOB = Author(type="contact", id=6, name="Bob", email="bob@client.test")
STRANGER = Author(type="unknown", email="eve@elsewhere.test")
NOBODY = Person(id=5, name="Alice", email=None)
ROBOT = Person(id=5, name="Shop", email="no-reply@client.test")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (opened(), ["ticket-created alice@client.test"]),
        (opened(source="api"), ["ticket-created alice@client.test"]),
        (opened(notify_client=False), []),
        (opened(contact=None), []),
        (opened(contact=NOBODY), []),
        (opened(contact=ROBOT), []),
        (
            opened(team=["team@example.com", "boss@example.com", "TEAM@example.com"]),
            [
                "ticket-created alice@client.test",
                "new-ticket team@example.com",
                "new-ticket boss@example.com",
            ],
        ),
        (opened(team=["t@example.com"], notify_client=False), ["new-ticket t@example.com"]),
        (replied(), ["public-reply alice@client.test"]),
        (
            replied(watchers=["bob@client.test", "ALICE@client.test"]),
            ["public-reply alice@client.test", "public-reply bob@client.test"],
        ),
        (replied(contact=None, watchers=["bob@client.test"]), ["public-reply bob@client.test"]),
        (replied(watchers=["ann@example.com"]), ["public-reply alice@client.test"]),
        (replied(author=CONTACT), []),
        (replied(kind="internal"), []),
        (replied(kind="client", author=CONTACT), []),
        (
            replied(kind="client", author=CONTACT, watchers=["bob@client.test"]),
            ["public-reply bob@client.test"],
        ),
        (
            replied(kind="client", author=BOB, watchers=["bob@client.test", "c@client.test"]),
            ["public-reply c@client.test"],
        ),
        (replied(kind="client", author=STRANGER, watchers=["b@c.test"], verified=False), []),
        (
            replied(author=Author(type="system"), watchers=["b@client.test"]),
            ["public-reply alice@client.test", "public-reply b@client.test"],
        ),
    ],
)
def test_who_gets_which_mail(event: Told, expected: list[str]) -> None:
    assert [f"{mail.template} {mail.recipient}" for mail in mails(event)] == expected


def test_a_mail_knows_all_that_it_says() -> None:
    (mail,) = mails(replied(body=Body(text="hi")))
    assert (mail.entry_id, mail.notice.to_name, mail.notice.author) == (2, ALICE.name, ANN.name)
    assert mail.notice.body.text == "hi"
    assert mail.notice.references[-1] == mail.notice.in_reply_to


def test_clients_get_the_message_id_that_later_mails_refer_to_and_the_team_another() -> None:
    created, new = mails(opened(team=["team@example.com"]))
    assert created.message_id == "<e1-abcdefghijklmnop@mail.example.com>"
    assert new.message_id == "<new.e1-abcdefghijklmnop@mail.example.com>"


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
def test_what_follows(result: Result, age: float, ambiguous: int, expected: Verdict) -> None:
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
