"""The rules of tickets for any values: moves, differences, what a merge brings and takes back."""

from datetime import UTC, datetime
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.actors import Author
from deskwire.contracts.terms import Status
from deskwire.contracts.threads import MailSender
from deskwire.contracts.ticket_commands import TicketChanges
from deskwire.contracts.tickets import Ticket
from deskwire.errors import Conflict
from ticket_svc.domain import life, merging, threads
from ticket_svc.domain.merging import Joined
from ticket_svc.domain.threads import Correspondence, Signer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES: tuple[Status, ...] = get_args(Status)

emails = st.sampled_from(["ann@a.test", "Ann@a.test", "bob@b.test", "carol@c.test", "dan@d.test"])
watchers = st.lists(emails, max_size=4, unique_by=str.casefold).map(tuple)
assets = st.lists(st.integers(1, 5), max_size=4, unique=True).map(tuple)
contacts = st.none() | st.builds(lambda email: {"id": 1, "name": "n", "email": email}, emails)


@st.composite
def tickets(draw: st.DrawFn) -> Ticket:
    return ticket(
        watchers=draw(watchers),
        assets=[{"id": id, "name": "a"} for id in draw(assets)],
        contact=draw(contacts),
        status=draw(st.sampled_from(STATUSES)),
    )


def ticket(**values: object) -> Ticket:
    given = {
        "id": 1,
        "number": 1,
        "prefix": "TCK-",
        "reference": "TCK-1",
        "subject": "s",
        "body": {"text": "b"},
        "status": "open",
        "priority": "low",
        "source": "api",
        "entry_count": 1,
        "created_at": NOW,
        "created_by": {"type": "system"},
        "updated_at": NOW,
        "version": 1,
    }
    return Ticket.model_validate(given | values)


def joined_to(target: Ticket, joined: Joined) -> Ticket:
    """The target with what the merge brings."""
    with_assets = [*target.assets, *({"id": id, "name": "a"} for id in joined.asset_ids)]
    values = target.model_dump() | {"watchers": (*target.watchers, *joined.watchers)}
    return Ticket.model_validate(values | {"assets": with_assets})


def less(target: Ticket, gone: Joined) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The watchers and assets that stay when something is taken back."""
    stays = Joined(target.watchers, tuple(asset.id for asset in target.assets)).without(gone)
    return stays.watchers, stays.asset_ids


def has(of: Ticket) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return of.watchers, tuple(asset.id for asset in of.assets)


@pytest.mark.parametrize("before", STATUSES)
@pytest.mark.parametrize("after", STATUSES)
def test_every_move_but_from_closed_to_waiting(before: Status, after: Status) -> None:
    if before == "closed" and after in ("hold", "auto-close"):
        with pytest.raises(Conflict):
            life.check_move(before, after)
    else:
        life.check_move(before, after)


@pytest.mark.parametrize("status", STATUSES)
def test_closing_is_stamped_and_reopening_forgets_it(status: Status) -> None:
    by = Author(type="agent", id=1)
    closed = status == "closed"
    expected = {"closed_at": NOW if closed else None, "closed_by": by if closed else None}
    assert life.stamps(status, by, NOW) == expected


changes = st.fixed_dictionaries(
    {},
    optional={
        "subject": st.text(min_size=1, max_size=5),
        "status": st.sampled_from([status for status in STATUSES if status != "closed"]),
        "priority": st.sampled_from(["low", "medium", "high"]),
        "category": st.none() | st.text(min_size=1, max_size=5),
        "billable": st.booleans(),
        "tags": st.lists(st.text(min_size=1, max_size=3), max_size=3).map(tuple),
        "watchers": watchers,
        "due_at": st.none() | st.datetimes(timezones=st.just(UTC)),
    },
)


@given(changes)
def test_differences_are_what_is_not_so_already(wanted: dict[str, object]) -> None:
    before = ticket()
    values = TicketChanges.model_validate(wanted).values
    changed = life.differences(before, values)
    assert changed.keys() <= wanted.keys()
    after = before.model_copy(update=changed)
    assert life.current_values(after) == life.current_values(before) | values
    assert life.differences(after, values) == {}


@given(tickets(), tickets())
def test_a_merge_brings_what_is_not_there_and_nothing_twice(source: Ticket, target: Ticket) -> None:
    after = joined_to(target, merging.joining(source, target))
    known = [email.casefold() for email in after.watchers]
    assert len(known) == len(set(known))
    reached = {*known, *([target.contact.email.casefold()] if has_email(target) else ())}  # type: ignore[union-attr]  # looked at
    assert reached >= {email.casefold() for email in source.watchers}
    assert has(after)[1][: len(target.assets)] == has(target)[1]
    assert set(has(after)[1]) == {*has(source)[1], *has(target)[1]}


def has_email(of: Ticket) -> bool:
    return of.contact is not None and of.contact.email is not None


@given(st.lists(tickets(), min_size=2, max_size=5))
def test_what_a_merge_brought_leaves_the_whole_chain_again(chain: list[Ticket]) -> None:
    """The first into the second, that into the third, and so on; then the first is taken back:
    everything is as if it had never been merged."""
    never, told = list(chain), list(chain)
    for at in range(1, len(chain) - 1):
        never[at + 1] = joined_to(chain[at + 1], merging.joining(never[at], chain[at + 1]))
    merges = []
    for at in range(len(chain) - 1):
        merges.append(merging.joining(told[at], chain[at + 1]))
        told[at + 1] = joined_to(chain[at + 1], merges[at])
    gone = merging.leaving(merges[0], merges[1:])
    for after, expected, leaves in zip(told[1:], never[1:], gone, strict=True):
        left = less(after, leaves)
        assert sorted(left[0], key=str.casefold) == sorted(has(expected)[0], key=str.casefold)
        assert sorted(left[1]) == sorted(has(expected)[1])


@given(tickets(), tickets())
def test_a_merge_that_is_taken_back_leaves_nothing_behind(source: Ticket, target: Ticket) -> None:
    joined = merging.joining(source, target)
    (gone,) = merging.leaving(joined, [])
    assert less(joined_to(target, joined), gone) == has(target)


prefixes = st.text(st.characters(exclude_characters="[]", exclude_categories=["Nd"]), max_size=8)


@given(prefixes, st.integers(1, 10**8), st.text(max_size=10))
def test_a_reference_in_a_subject_is_found(prefix: str, number: int, around: str) -> None:
    around = around.replace("[", "").replace("]", "")
    subject = f"{around}[{prefix}{number}]{around}"
    assert (prefix, number) in threads.subject_references(subject)


@given(st.lists(st.integers(1, 40).map("<{}@x.test>".format), max_size=60))
def test_references_keep_the_beginning_and_the_latest(message_ids: list[str]) -> None:
    kept = threads.references(message_ids)
    unique = list(dict.fromkeys(message_ids))
    assert len(kept) == min(len(unique), threads.REFERENCES_KEPT)
    assert list(kept[:1]) == unique[:1]
    assert list(kept[1:]) == unique[1:][-len(kept[1:]) :] if kept[1:] else True


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 10**6)), min_size=1, max_size=12))
def test_an_answer_threads_below_what_it_answers(entries: list[tuple[bool, int]]) -> None:
    signer = Signer((b"k" * 32,), "example.com")
    rows = [f"{f'<mail{id}@client.test>' if by_mail else ''} {id}" for by_mail, id in entries]
    thread = threads.thread(signer, 7, rows, Correspondence(MailSender()))
    by_mail, last = entries[-1]
    expected = f"<mail{last}@client.test>" if by_mail else signer.message_id(last)
    assert thread.in_reply_to == expected
    assert thread.message_id == signer.message_id(7)
    assert signer.ids(thread.message_id) == [7]


@pytest.mark.parametrize(
    ("wanted", "languages", "expected"),
    [
        ("de", ["en", "de"], "de"),
        ("DE-ch", ["en", "de"], "de"),
        ("de-CH", ["de", "de-CH"], "de-CH"),
        ("fr", ["en", "de"], "en"),
        ("en", ["de"], "de"),
        (None, ["nl", "en"], "nl"),
    ],
)
def test_mails_are_in_a_language_that_there_is(
    wanted: str | None, languages: list[str], expected: str
) -> None:
    assert threads.written_in(wanted, languages) == expected
