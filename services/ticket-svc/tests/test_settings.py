"""Settings: changed by who has seen them, remembered, and what they do."""

import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ticket_desk import ACTOR, AGENT, Desk

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Address, Body
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.settings import (
    AutoClose,
    BusinessHours,
    ClientSettings,
    ClientSettingsChanged,
    PolicyChanges,
    SettingChanges,
    SettingHistoryTold,
    Settings,
    SettingsChanged,
    UpdateClientSettings,
    UpdateSettings,
)
from deskwire.contracts.terms import EntryKind
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    GetTicket,
    MergeTicket,
    TicketChanges,
)
from deskwire.contracts.tickets import (
    HistoryTold,
    Ticket,
    TicketChanged,
    TicketEvent,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketReplied,
)
from deskwire.errors import Invalid, NotFound, StaleVersion
from deskwire.messaging.envelope import wrap
from ticket_svc.domain import settings as rules


async def client_settings(
    desk: Desk, client_id: int, *, if_version: int, **changes: object
) -> ClientSettings:
    wanted = PolicyChanges.model_validate(changes)
    return await desk.ask(
        UpdateClientSettings(
            client_id=client_id, changes=wanted, if_version=if_version, actor=ACTOR
        )
    )


# --- changing them


async def test_settings_are_changed_from_the_version_that_was_read(desk: Desk) -> None:
    before = Settings()
    changed = await desk.settings(ticket_prefix="HD-", holidays=["2026-12-26", "2026-12-25"])
    assert (changed.ticket_prefix, changed.version) == ("HD-", 2)
    assert [day.isoformat() for day in changed.holidays] == ["2026-12-25", "2026-12-26"]
    told = await desk.next(SettingsChanged)
    assert told.settings == changed
    assert {item.field: (item.old, item.new, item.client_id) for item in told.history} == {
        "ticket_prefix": ("TCK-", "HD-", None),
        "holidays": ([], ["2026-12-25", "2026-12-26"], None),
    }
    assert {(item.by, item.through) for item in told.history} == {(AGENT, ACTOR.through)}
    stale = UpdateSettings(changes=SettingChanges(), if_version=1, actor=ACTOR)
    with pytest.raises(StaleVersion):
        await desk.ask(stale)
    assert await desk.settings(ticket_prefix="HD-") == changed
    back = await desk.settings(ticket_prefix=None, holidays=None)
    assert back == before.model_copy(update={"version": 3})


async def test_one_of_many_at_once_changes_them(desk: Desk) -> None:
    commands = [
        UpdateSettings(changes=SettingChanges(reopen_days=days), if_version=1, actor=ACTOR)
        for days in range(50, 100)
    ]
    results = await asyncio.gather(*map(desk.ask, commands), return_exceptions=True)
    assert sum(isinstance(result, Settings) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 49


async def test_what_a_client_has_otherwise(desk: Desk) -> None:
    client_id = await desk.client()
    first = await client_settings(desk, client_id, if_version=1, reopen_days=3, from_name="Acme")
    assert (first.overrides.values, first.version) == ({"reopen_days": 3, "from_name": "Acme"}, 1)
    told = await desk.next(ClientSettingsChanged)
    assert told.client_settings == first
    assert {(item.client_id, item.field, item.old, item.new) for item in told.history} == {
        (client_id, "reopen_days", None, 3),
        (client_id, "from_name", None, "Acme"),
    }
    with pytest.raises(StaleVersion):
        await client_settings(desk, client_id, if_version=1, reopen_days=4)
    assert await client_settings(desk, client_id, if_version=2, chaser_text=None) == first
    await desk.settings(reopen_days=5)
    with pytest.raises(StaleVersion):
        await client_settings(desk, client_id, if_version=2, reopen_days=4)
    back = await client_settings(desk, client_id, if_version=3, reopen_days=None)
    assert (back.overrides.values, back.version) == ({"from_name": "Acme"}, 2)
    with pytest.raises(NotFound):
        await client_settings(desk, 99, if_version=1, reopen_days=4)


async def test_one_of_many_first_overrides_is_kept(desk: Desk) -> None:
    client_id = await desk.client()
    tries = [client_settings(desk, client_id, if_version=1, reopen_days=n) for n in range(20)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(result, ClientSettings) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 19


async def test_all_of_it_is_told_anew_and_history_stays(desk: Desk) -> None:
    client_id = await desk.client()
    await client_settings(desk, client_id, if_version=1, reopen_days=3)
    await desk.settings(reopen_days=5)
    heard = len(desk.heard)
    await desk.broker.publish(wrap(ReplayDocuments()))
    assert (await desk.next(SettingsChanged, after=heard)).settings.reopen_days == 5
    told = await desk.next(ClientSettingsChanged, after=heard)
    assert told.client_settings.overrides.values == {"reopen_days": 3}
    for of in (None, client_id):
        await desk.next(SettingHistoryTold, where=lambda e, of=of: e.item.client_id == of)  # type: ignore[misc]  # mypy cannot type a default of a lambda
    for sql in ("UPDATE setting_history SET field = 'x'", "DELETE FROM setting_history"):
        with pytest.raises(Exception, match="only ever added to"):
            await desk.database.pool.execute(sql)


# --- what they can be


REFUSED: tuple[tuple[str, SettingChanges], ...] = (
    ("timezone", SettingChanges(timezone="Europe/Atlantis")),
    ("languages", SettingChanges(languages=("en", "EN"))),
    ("from_address", SettingChanges(from_address="jörg@example.com")),
    ("auto_close.chaser_hours", SettingChanges(auto_close=AutoClose(chaser_hours=72))),
    ("business_hours", SettingChanges(business_hours=BusinessHours())),
    ("business_hours.sunday", SettingChanges(business_hours=BusinessHours(sunday=("9-17",)))),
    (
        "business_hours.friday",
        SettingChanges(business_hours=BusinessHours(friday=("17:00-09:00",))),
    ),
)


def test_what_is_refused() -> None:
    for field, changes in REFUSED:
        with pytest.raises(Invalid) as refused:
            rules.changed(Settings(), changes)
        assert refused.value.field == field


def test_an_address_is_kept_as_dns_knows_it() -> None:
    changes = SettingChanges(from_address="help@bücher.test")
    assert rules.changed(Settings(), changes).from_address == "help@xn--bcher-kva.test"


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@given(st.sets(st.integers(0, 24 * 60), min_size=2, max_size=12), st.randoms())
def test_hours_that_follow_each_other_are_kept_in_order(times: set[int], random: Any) -> None:
    ordered = sorted(times)
    pairs = zip(ordered[::2], ordered[1::2], strict=False)
    wanted = [f"{clock(begin)}-{clock(end)}" for begin, end in pairs]
    given = random.sample(wanted, len(wanted))
    kept = rules.business_hours(BusinessHours(monday=tuple(given)))
    assert kept == BusinessHours(monday=tuple(wanted))


@given(st.lists(st.integers(0, 24 * 60), min_size=4, max_size=4, unique=True))
def test_hours_that_overlap_are_refused(times: list[int]) -> None:
    a, b, c, d = map(clock, sorted(times))
    for overlapping in ((f"{a}-{c}", f"{b}-{d}"), (f"{b}-{c}", f"{a}-{d}"), (f"{a}-{b}",) * 2):
        with pytest.raises(Invalid, match="begins before"):
            rules.business_hours(BusinessHours(tuesday=overlapping))


@given(st.text(alphabet="0123456789:- 24", max_size=12))
def test_what_is_kept_is_an_interval_of_a_day(text: str) -> None:
    try:
        rules.business_hours(BusinessHours(monday=(text,)))
    except Invalid:
        return
    begin, end = text.split("-")
    assert "00:00" <= begin < end <= "24:00"
    assert len(begin) == len(end) == 5


# --- what they do


async def test_the_prefix_of_new_tickets(desk: Desk) -> None:
    client_id = await desk.client()
    old = (await desk.open(client_id)).ticket
    await desk.settings(ticket_prefix="HD.")
    assert (await desk.open(client_id)).ticket.reference == "HD.2"
    handled = await desk.mail("alice@client.test", subject=f"Re: [{old.reference}] Printer")
    assert (handled.outcome, handled.ticket_id) == ("reply", old.id)


@pytest.mark.parametrize(
    ("instance", "client", "own", "told"),
    [
        (True, None, True, True),
        (False, None, True, False),
        (False, True, True, True),
        (True, False, True, False),
        (True, True, False, False),
    ],
)
async def test_who_hears_of_tickets(
    desk: Desk, instance: bool, client: bool | None, own: bool, told: bool
) -> None:
    client_id = await desk.client()
    await desk.database.pool.execute("UPDATE clients SET notifications = $1", own)
    version = (await desk.settings(client_notifications=instance)).version
    await client_settings(desk, client_id, if_version=version, client_notifications=client)
    ticket = (await desk.open(client_id)).ticket
    assert (await desk.next(TicketOpened)).notify_client is told
    changes = TicketChanges(status="closed")
    await desk.ask(ChangeTicket(ticket_id=ticket.id, changes=changes, actor=ACTOR))
    assert (await desk.next(TicketChanged)).notify_client is told


async def test_a_contact_hears_of_its_tickets_unless_it_says_otherwise(desk: Desk) -> None:
    client_id = await desk.client()
    for hears in (True, False):
        await desk.database.pool.execute("UPDATE contacts SET notifications = $1", hears)
        ticket = (await desk.open(client_id)).ticket
        changes = TicketChanges(status="closed")
        await desk.ask(ChangeTicket(ticket_id=ticket.id, changes=changes, actor=ACTOR))
        for kind in (TicketOpened, TicketChanged):
            event: Any = await desk.next(kind, where=partial(_is_of, ticket.id))
            assert event.thread.contact_hears is hears
            assert event.notify_client


async def test_who_mails_come_from(desk: Desk) -> None:
    await desk.settings(from_name="Desk", from_address="desk@example.com")
    client_id = await desk.client()
    await client_settings(desk, client_id, if_version=2, from_name="Acme desk")
    for of, name in ((None, "Desk"), (client_id, "Acme desk")):
        ticket, other = (await desk.open(of)).ticket, (await desk.open(of)).ticket
        reply = AddEntry(ticket_id=ticket.id, kind="public", body=Body(text="!"), author=AGENT)
        await desk.ask(reply)
        changes = TicketChanges(status="hold")
        await desk.ask(ChangeTicket(ticket_id=ticket.id, changes=changes, actor=ACTOR))
        await desk.ask(MergeTicket(ticket_id=other.id, into=ticket.id, actor=ACTOR))
        for kind in (TicketOpened, TicketReplied, TicketChanged, TicketMerged):
            event: Any = await desk.next(kind, where=partial(_is_of, ticket.id))
            sender = event.thread.sender
            assert (sender.name, sender.address) == (name, "desk@example.com"), kind


@pytest.mark.parametrize(
    ("client", "contact", "expected"),
    [("de-AT", None, "de"), ("fr", None, "nl"), ("nl", "de", "de"), (None, None, "nl")],
)
async def test_what_mails_are_written_in(
    desk: Desk, client: str | None, contact: str | None, expected: str
) -> None:
    await desk.settings(languages=("nl", "de"))
    client_id = await desk.client() if client else None
    await desk.database.pool.execute("UPDATE clients SET language = $1", client or "en")
    await desk.database.pool.execute("UPDATE contacts SET language = $1", contact)
    ticket, other = (await desk.open(client_id)).ticket, (await desk.open(client_id)).ticket
    kinds: tuple[EntryKind, ...] = ("public", "internal")
    for kind in kinds:
        await desk.ask(AddEntry(ticket_id=ticket.id, kind=kind, body=Body(text="!"), author=AGENT))
    changes = TicketChanges(status="hold")
    await desk.ask(ChangeTicket(ticket_id=ticket.id, changes=changes, actor=ACTOR))
    await desk.ask(MergeTicket(ticket_id=other.id, into=ticket.id, actor=ACTOR))
    for told in (TicketOpened, TicketReplied, TicketNoted, TicketChanged, TicketMerged):
        event: Any = await desk.next(told, where=partial(_is_of, ticket.id))
        languages = (event.thread.language, event.thread.team_language)
        assert languages == (expected, "nl"), told
        assert event.notify_client is True


def _is_of(ticket_id: int, event: TicketEvent) -> bool:
    return event.ticket.id == ticket_id


async def test_mail_that_comes_while_it_is_switched_off(desk: Desk) -> None:
    await desk.client()
    await desk.settings(email_parsing=False)
    handled = await desk.mail("alice@client.test")
    assert (handled.outcome, handled.reason) == ("ignored", "e-mail to ticket is switched off")
    await desk.settings(email_parsing=True)
    assert (await desk.mail("alice@client.test")).outcome == "ticket"


async def test_mail_of_unknown_senders(desk: Desk) -> None:
    await desk.settings(unknown_senders="quarantine")
    handled = await desk.mail("eve@evil.test")
    assert (handled.outcome, handled.reason) == ("quarantined", "unknown sender")
    await desk.settings(unknown_senders="open")
    handled = await desk.mail("eve@evil.test")
    opened = await desk.next(TicketOpened)
    assert (handled.outcome, handled.ticket_id) == ("ticket", opened.ticket.id)
    ticket = opened.ticket
    assert (ticket.client, ticket.contact, ticket.assigned_to) == (None, None, None)
    assert (ticket.source, ticket.watchers) == ("email", ("eve@evil.test",))
    assert (opened.entry.kind, opened.entry.author.type) == ("client", "unknown")
    again = await desk.mail("eve@evil.test", subject=f"Re: [{ticket.reference}]")
    assert (again.outcome, again.ticket_id) == ("reply", ticket.id)


# --- answers to closed tickets


async def closed(desk: Desk, client_id: int, *, days_ago: int) -> Ticket:
    ticket = (await desk.open(client_id)).ticket
    await close(desk, ticket.id, days_ago=days_ago)
    return ticket


async def close(desk: Desk, ticket_id: int, *, days_ago: int) -> None:
    changes = TicketChanges(status="closed")
    await desk.ask(ChangeTicket(ticket_id=ticket_id, changes=changes, actor=ACTOR))
    await desk.database.pool.execute(
        "UPDATE tickets SET closed_at = closed_at - make_interval(days => $2) WHERE id = $1",
        ticket_id,
        days_ago,
    )


async def test_an_answer_in_time_opens_the_ticket_again(desk: Desk) -> None:
    ticket = await closed(desk, await desk.client(), days_ago=13)
    handled = await desk.mail("alice@client.test", subject=f"Re: [{ticket.reference}]")
    assert (handled.outcome, handled.ticket_id) == ("reply", ticket.id)
    assert (await desk.next(TicketReplied)).ticket.status == "open"


async def test_a_late_answer_opens_a_ticket_that_says_which_one_it_follows(desk: Desk) -> None:
    ticket = await closed(desk, await desk.client(), days_ago=15)
    heard = len(desk.heard)
    handled = await desk.mail("alice@client.test", subject=f"Re: [{ticket.reference}] Printer")
    opened = await desk.next(TicketOpened, after=heard)
    assert (handled.outcome, handled.ticket_id) == ("ticket", opened.ticket.id)
    assert (opened.ticket.follows, opened.ticket.subject) == (ticket.id, "Printer")
    assert opened.ticket.contact == ticket.contact
    told = await desk.next(HistoryTold)
    assert (told.item.ticket_id, told.item.field) == (ticket.id, "followed_by")
    assert told.item.new == {"id": opened.ticket.id, "name": opened.ticket.reference}
    assert told.item.through.type == "mail"
    before = await desk.ask(GetTicket(ticket_id=ticket.id))
    assert (before.status, before.entry_count) == ("closed", 1)


async def test_a_second_late_answer_goes_to_the_ticket_of_the_first(desk: Desk) -> None:
    client_id = await desk.client()
    ticket = await closed(desk, client_id, days_ago=15)
    late = {"subject": f"Re: [{ticket.reference}] Printer"}
    first, second = [await desk.mail("alice@client.test", **late) for _ in range(2)]
    assert (second.outcome, second.ticket_id) == ("reply", first.ticket_id)
    assert (await desk.next(TicketReplied)).ticket.follows == ticket.id
    assert first.ticket_id is not None
    await close(desk, first.ticket_id, days_ago=15)
    third, fourth = [await desk.mail("alice@client.test", **late) for _ in range(2)]
    opened = await desk.next(TicketOpened, where=lambda event: event.ticket.id == third.ticket_id)
    assert opened.ticket.follows == first.ticket_id
    assert (fourth.outcome, fourth.ticket_id) == ("reply", third.ticket_id)


async def test_how_late_is_the_clients_own_matter(desk: Desk) -> None:
    client_id = await desk.client()
    await client_settings(desk, client_id, if_version=1, reopen_days=0)
    ticket = await closed(desk, client_id, days_ago=1)
    assert (await desk.mail("alice@client.test", subject=f"[{ticket.reference}]")).outcome == (
        "ticket"
    )
    await client_settings(desk, client_id, if_version=2, reopen_days=30)
    assert (await desk.mail("alice@client.test", subject=f"[{ticket.reference}]")).outcome == (
        "reply"
    )


async def test_a_late_watcher_and_a_late_answer_to_a_merged_ticket(desk: Desk) -> None:
    client_id = await desk.client()
    source = (await desk.open(client_id, watchers=["w@else.test"])).ticket
    target = (await desk.open(client_id)).ticket
    await desk.ask(MergeTicket(ticket_id=source.id, into=target.id, actor=ACTOR))
    changes = TicketChanges(status="closed")
    await desk.ask(ChangeTicket(ticket_id=target.id, changes=changes, actor=ACTOR))
    await desk.database.pool.execute("UPDATE tickets SET closed_at = closed_at - interval '1 year'")
    heard = len(desk.heard)
    handled = await desk.mail(
        "w@else.test", subject=f"[{source.reference}]", cc=[Address(email="x@else.test")]
    )
    assert handled.outcome == "ticket"
    opened = await desk.next(TicketOpened, after=heard)
    assert (opened.ticket.follows, opened.ticket.watchers) == (target.id, ("w@else.test",))
    assert opened.entry.kind == "client"


async def test_agents_are_never_late(desk: Desk) -> None:
    client_id = await desk.client()
    ticket = await closed(desk, client_id, days_ago=400)
    answer = AddEntry(ticket_id=ticket.id, kind="public", body=Body(text="!"), author=AGENT)
    assert (await desk.ask(answer)).ticket.id == ticket.id
    client = Author(type="contact", name="Portal")
    theirs = answer.model_copy(update={"kind": "client", "author": client})
    assert (await desk.ask(theirs)).ticket.follows == ticket.id
    reopened = theirs.model_copy(update={"status": "open"})
    assert (await desk.ask(reopened)).ticket.id == ticket.id


async def test_an_archived_clients_answer_opens_the_old_ticket(desk: Desk) -> None:
    client_id = await desk.client()
    ticket = await closed(desk, client_id, days_ago=400)
    await desk.database.pool.execute("UPDATE clients SET archived_at = now()")
    handled = await desk.mail("alice@client.test", subject=f"[{ticket.reference}]")
    assert (handled.outcome, handled.ticket_id) == ("reply", ticket.id)
