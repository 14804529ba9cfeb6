"""Merging: everything in its place, mails and requests land where it is shown, and back again."""

import json
from typing import Any

import pytest
from ticket_desk import AGENT, Desk

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.people import CreateContact
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    GetTicket,
    MergedTickets,
    MergeTicket,
    TicketChanges,
    UnmergeTicket,
)
from deskwire.contracts.tickets import (
    EntryChanged,
    Ticket,
    TicketChanged,
    TicketMerged,
    TicketReplied,
)
from deskwire.errors import Conflict, Invalid, NotFound
from deskwire.messaging.envelope import wrap

ACTOR = Actor(author=AGENT, through=Through(type="key", id=3))


async def merge(desk: Desk, source: int, into: int, **more: Any) -> MergedTickets:
    return await desk.ask(MergeTicket(ticket_id=source, into=into, actor=ACTOR, **more))


async def unmerge(desk: Desk, ticket_id: int) -> MergedTickets:
    return await desk.ask(UnmergeTicket(ticket_id=ticket_id, actor=ACTOR))


async def reply(desk: Desk, ticket_id: int, text: str, kind: Any = "public") -> Entry:
    author = AGENT if kind != "client" else Author(type="contact", id=1, name="Alice")
    command = AddEntry(ticket_id=ticket_id, kind=kind, body=Body(text=text), author=author)
    return (await desk.ask(command)).entry


async def shown(desk: Desk, ticket_id: int) -> list[tuple[int, str]]:
    rows = await desk.database.pool.fetch(
        "SELECT origin_ticket_id, body_text FROM entries WHERE ticket_id = $1 ORDER BY id",
        ticket_id,
    )
    return [(row[0], row[1]) for row in rows]


async def ticket(desk: Desk, ticket_id: int) -> Ticket:
    return await desk.ask(GetTicket(ticket_id=ticket_id))


def but_for_version(ticket: Ticket) -> dict[str, Any]:
    return ticket.model_dump(exclude={"version", "updated_at"})


async def test_all_of_the_source_is_shown_on_the_target(desk: Desk) -> None:
    client = await desk.client()
    a = (await desk.open(client, body=Body(text="a1"), watchers=["w@client.test"])).ticket
    b = (await desk.open(client, body=Body(text="b1"))).ticket
    await reply(desk, a.id, "a2", "client")
    await reply(desk, b.id, "b2")
    merged = await merge(desk, a.id, b.id, reason="the same fire")
    assert (merged.source.status, merged.source.merged_into) == ("closed", b.id)
    assert merged.source.body.text == "a1"
    assert merged.source.entry_count == 0
    assert merged.target.merged_from == (a.id,)
    assert merged.target.entry_count == 4
    assert merged.target.watchers == ("w@client.test",)
    assert merged.target.last_reply is not None
    assert merged.target.last_reply.by == AGENT.name
    assert await shown(desk, b.id) == [(a.id, "a1"), (b.id, "b1"), (a.id, "a2"), (b.id, "b2")]
    told = await desk.next(TicketMerged)
    assert (told.ticket, told.source, told.reason) == (
        merged.target,
        merged.source,
        "the same fire",
    )
    assert await ticket(desk, a.id) == merged.source
    moved = [event.entry for event in desk.heard if isinstance(event, EntryChanged)]
    assert {(e.ticket_id, e.origin_ticket_id, e.version) for e in moved} == {(b.id, a.id, 2)}


async def test_what_is_for_the_source_lands_in_the_target(desk: Desk) -> None:
    client = await desk.client()
    opened = await desk.mail("alice@client.test", message_id="<first@client.test>")
    a, b = opened.ticket_id or 0, (await desk.open(client)).ticket.id
    await merge(desk, a, b)
    by_api = await reply(desk, a, "by the API")
    assert (by_api.ticket_id, by_api.origin_ticket_id) == (b, b)
    by_subject = await desk.mail("alice@client.test", subject="Re: [TCK-1] Printer")
    by_reference = await desk.mail("alice@client.test", in_reply_to=["<first@client.test>"])
    assert [by_subject.ticket_id, by_reference.ticket_id] == [b, b]
    replied = await desk.next(TicketReplied, where=lambda e: e.entry.kind == "client")
    assert replied.ticket.id == b
    changes = TicketChanges(subject="x")
    with pytest.raises(Conflict):
        await desk.ask(ChangeTicket(ticket_id=a, changes=changes, actor=ACTOR))


async def test_a_merge_is_taken_back_exactly(desk: Desk) -> None:
    client = await desk.client()
    bob = CreateContact(client_id=client, name="Bob", email="bob@client.test")
    contact = await desk.ask(bob)
    a = (await desk.open(client, contact_id=contact.id, watchers=["w@client.test"])).ticket
    await reply(desk, a.id, "a2")
    b = (await desk.open(client, watchers=["v@client.test"])).ticket
    before_a, before_b = await ticket(desk, a.id), await ticket(desk, b.id)
    merged = await merge(desk, a.id, b.id)
    assert set(merged.target.watchers) == {"v@client.test", "w@client.test", "bob@client.test"}
    apart = await unmerge(desk, a.id)
    assert but_for_version(apart.source) == but_for_version(before_a)
    assert but_for_version(apart.target) == but_for_version(before_b)
    assert await shown(desk, b.id) == [(b.id, "It is on fire.")]
    await desk.next(TicketChanged, where=lambda e: e.ticket == apart.target)
    await desk.next(TicketChanged, where=lambda e: e.ticket == apart.source)
    with pytest.raises(Conflict):
        await unmerge(desk, a.id)
    with pytest.raises(Conflict):
        await unmerge(desk, b.id)


async def test_what_was_answered_elsewhere_is_answered(desk: Desk) -> None:
    """And waits for its first answer again when that is taken from it."""
    await desk.settings(targets={"low": {"first_response": 60}})
    client = await desk.client()
    alice = Author(type="contact", id=1, name="Alice")
    old, new, other = [(await desk.open(client, author=alice)).ticket for _ in range(3)]
    answer = await reply(desk, new.id, "It is mended.")
    merged = await merge(desk, new.id, old.id)
    assert merged.target.first_response_at == answer.created_at
    assert merged.source.first_response_at == answer.created_at
    assert await moments(desk, old.id) == set()
    apart = await unmerge(desk, new.id)
    assert (apart.target.first_response_at, apart.target.first_response_due_at) == (
        None,
        old.first_response_due_at,
    )
    assert "response-breach" in await moments(desk, old.id)
    late = (await desk.open(client, author=alice)).ticket
    asked_after = await merge(desk, new.id, late.id)
    assert asked_after.target.first_response_at is None
    assert await moments(desk, late.id) == await moments(desk, other.id) != set()


async def moments(desk: Desk, ticket_id: int) -> set[str]:
    """What the ticket waits for."""
    found = await desk.database.pool.fetchval("SELECT clock FROM tickets WHERE id = $1", ticket_id)
    return set(json.loads(found)["moments"]) if found else set()


async def test_replies_after_the_merge_stay(desk: Desk) -> None:
    client = await desk.client()
    a, b = (await desk.open(client)).ticket.id, (await desk.open(client)).ticket.id
    await merge(desk, a, b)
    await reply(desk, a, "after")
    apart = await unmerge(desk, b)  # the last merge into it
    assert apart.source.id == a
    assert await shown(desk, a) == [(a, "It is on fire.")]
    assert await shown(desk, b) == [(b, "It is on fire."), (b, "after")]


async def test_what_was_merged_before_goes_along(desk: Desk) -> None:
    client = await desk.client()
    opened = [(await desk.open(client, watchers=[f"{n}@client.test"])).ticket for n in range(4)]
    a, b, c, d = (t.id for t in opened)
    before = [await ticket(desk, t.id) for t in opened]
    await merge(desk, a, b)
    await merge(desk, b, c)
    await merge(desk, c, d)
    assert [(await ticket(desk, t)).merged_into for t in (a, b, c)] == [d, d, d]
    assert (await ticket(desk, d)).merged_from == (a, b, c)
    assert len(await shown(desk, d)) == 4
    assert (await reply(desk, a, "x")).ticket_id == d
    await unmerge(desk, b)  # with what was merged into it
    assert [(await ticket(desk, t)).merged_into for t in (a, b, c)] == [b, None, d]
    assert (await ticket(desk, b)).watchers == ("1@client.test", "0@client.test")
    assert (await ticket(desk, d)).watchers == ("3@client.test", "2@client.test")
    assert [origin for origin, _ in await shown(desk, b)] == [a, b]
    assert [origin for origin, _ in await shown(desk, d)] == [c, d, d]
    await unmerge(desk, a)
    await unmerge(desk, c)
    after = [await ticket(desk, t.id) for t in opened]
    for one, other in zip(before[:3], after[:3], strict=True):
        assert but_for_version(one) == but_for_version(other)


async def test_from_the_middle_of_a_chain(desk: Desk) -> None:
    """A leaves B while B is merged into C: it takes along what it brought, through both."""
    client = await desk.client()
    opened = [(await desk.open(client, watchers=[f"{n}@client.test"])).ticket for n in range(3)]
    a, b, c = (t.id for t in opened)
    before = [await ticket(desk, t.id) for t in opened]
    await merge(desk, a, b)
    await merge(desk, b, c)
    await unmerge(desk, a)
    assert (await ticket(desk, c)).watchers == ("2@client.test", "1@client.test")
    await unmerge(desk, b)
    after = [await ticket(desk, t.id) for t in opened]
    assert [but_for_version(t) for t in before] == [but_for_version(t) for t in after]


async def test_what_cannot_be_merged(desk: Desk) -> None:
    client, other = await desk.client(), await desk.client("Other", "other.test")
    a, b = (await desk.open(client)).ticket.id, (await desk.open(client)).ticket.id
    c, of_other = (await desk.open(client)).ticket.id, (await desk.open(other)).ticket.id
    with pytest.raises(Invalid):
        await merge(desk, a, a)
    with pytest.raises(NotFound):
        await merge(desk, a, 99)
    with pytest.raises(NotFound):
        await merge(desk, a, b, within_client=other)
    with pytest.raises(Conflict, match="different clients"):
        await merge(desk, a, of_other)
    assert (await merge(desk, a, of_other, across_clients=True)).target.id == of_other
    with pytest.raises(Conflict, match="merged"):
        await merge(desk, b, a)
    with pytest.raises(Conflict, match="merged"):
        await merge(desk, a, b)
    closing = ChangeTicket(ticket_id=c, changes=TicketChanges(status="closed"), actor=ACTOR)
    await desk.ask(closing)
    with pytest.raises(Conflict, match="closed"):
        await merge(desk, b, c)


async def test_a_merged_ticket_is_told_anew_as_it_is(desk: Desk) -> None:
    client = await desk.client()
    a = (await desk.open(client, body=Body(text="a1"))).ticket.id
    b = (await desk.open(client)).ticket.id
    await merge(desk, a, b)
    heard = len(desk.heard)
    await desk.broker.publish(wrap(ReplayDocuments()))
    told = await desk.next(TicketChanged, after=heard, where=lambda e: e.ticket.id == a)
    assert (told.ticket.body.text, told.ticket.merged_into) == ("a1", b)
