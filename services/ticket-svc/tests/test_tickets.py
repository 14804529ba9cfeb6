"""Tickets by request: opened, answered, refused."""

import asyncio
from typing import Any

import pytest
from ticket_desk import AGENT, Desk

from deskwire.contracts.actors import Author
from deskwire.contracts.base import Command
from deskwire.contracts.mail import Body
from deskwire.contracts.people import CreateAgent, CreateClient, CreateContact, CreateDomain
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.ticket_commands import AddEntry, GetTicket, OpenScheduledTicket, OpenTicket
from deskwire.contracts.tickets import TicketChanged, TicketNoted, TicketOpened, TicketReplied
from deskwire.errors import Conflict, NotFound
from deskwire.messaging.envelope import wrap


async def test_a_ticket_is_opened_with_all_that_it_points_at(desk: Desk) -> None:
    client_id = await desk.client()
    agent = await desk.ask(CreateAgent(name="Ann", email="ann@example.com"))
    made = await desk.open(client_id, assigned_to=agent.id, priority="high", tags=["fire"])
    ticket = made.ticket
    assert ticket.reference == "TCK-1"
    assert ticket.client is not None
    assert ticket.client.name == "Example Client"
    assert ticket.contact is not None
    assert ticket.contact.email == "alice@client.test"
    assert ticket.assigned_to is not None
    assert ticket.assigned_to.name == "Ann"
    assert (ticket.status, ticket.priority, ticket.tags) == ("open", "high", ("fire",))
    assert made.entry.opening
    opened = await desk.next(TicketOpened)
    assert (opened.ticket, opened.entry) == (made.ticket, made.entry)
    assert await desk.ask(GetTicket(ticket_id=ticket.id)) == ticket


async def test_who_opened_it(desk: Desk) -> None:
    client_id = await desk.client()
    by_nobody = await desk.open(client_id)
    by_contact = await desk.open(client_id, contact_id=1)
    by_agent = await desk.open(client_id, author=AGENT, source="agent")
    kinds = [(t.ticket.created_by.type, t.entry.kind) for t in (by_nobody, by_contact, by_agent)]
    assert kinds == [("system", "public"), ("contact", "client"), ("agent", "public")]


async def test_the_team_and_the_client_are_told_by_the_settings(desk: Desk) -> None:
    client_id = await desk.client()
    quiet = await desk.ask(CreateClient(name="Quiet Client", notifications=False))
    await desk.settings(new_ticket_addresses=("team@example.com",))
    await desk.open(client_id)
    first = await desk.next(TicketOpened)
    assert (first.notify_client, first.team) == (True, ("team@example.com",))
    heard = len(desk.heard)
    await desk.open(quiet.id)
    assert not (await desk.next(TicketOpened, after=heard)).notify_client
    await desk.settings(new_ticket_sources=("email", "portal"))
    heard = len(desk.heard)
    await desk.open(client_id)
    assert (await desk.next(TicketOpened, after=heard)).team == ()
    await desk.open(client_id, source="portal")
    by_portal = await desk.next(TicketOpened, where=lambda one: one.ticket.source == "portal")
    assert by_portal.team == ("team@example.com",)


@pytest.mark.parametrize("field", ["client_id", "contact_id", "assigned_to"])
async def test_what_is_not_there_is_named_and_no_number_is_lost(desk: Desk, field: str) -> None:
    client_id = await desk.client()
    with pytest.raises(NotFound) as refusal:
        await desk.open(**{"client_id": client_id, field: 99})
    assert refusal.value.field == field
    assert (await desk.open(client_id)).ticket.number == 1


async def test_a_contact_of_another_client_is_not_there(desk: Desk) -> None:
    mine = await desk.client()
    other = await desk.client("Other Client", "other.test")
    foreign = await desk.ask(CreateContact(client_id=other, name="Olga", email="olga@other.test"))
    with pytest.raises(NotFound):
        await desk.open(mine, contact_id=foreign.id)


async def test_numbers_have_no_gap_and_no_double_under_load(desk: Desk) -> None:
    client_id = await desk.client()

    async def attempt(n: int) -> int | None:
        try:
            opened = await desk.open(client_id, assigned_to=99 if n % 5 == 0 else None)
        except NotFound:
            return None
        return opened.ticket.number

    numbers = await asyncio.gather(*(attempt(n) for n in range(60)))
    assert sorted(n for n in numbers if n) == list(range(1, 49))


async def test_a_public_reply_and_its_thread(desk: Desk) -> None:
    client_id = await desk.client()
    opened = await desk.open(client_id)
    told = await desk.next(TicketOpened)
    made = await desk.ask(
        AddEntry(
            ticket_id=opened.ticket.id,
            kind="public",
            body=Body(text="Water is on its way."),
            author=AGENT,
            time_worked=90,
            status="hold",
        )
    )
    assert (made.ticket.status, made.ticket.time_worked, made.ticket.version) == ("hold", 90, 2)
    assert made.ticket.first_response_at == made.entry.created_at
    assert made.ticket.body.text == "It is on fire."
    replied = await desk.next(TicketReplied)
    assert replied.thread.in_reply_to == told.thread.message_id
    assert replied.thread.references == (told.thread.message_id,)
    assert replied.thread.message_id != told.thread.message_id


async def test_a_note_is_told_as_a_note_and_is_no_reply(desk: Desk) -> None:
    opened = await desk.open(await desk.client())
    made = await desk.ask(
        AddEntry(ticket_id=opened.ticket.id, kind="internal", body=Body(text="hm"), author=AGENT)
    )
    assert made.ticket.last_reply is None
    assert made.ticket.first_response_at is None
    assert (await desk.next(TicketNoted)).entry.body.text == "hm"


@pytest.mark.parametrize("status", ["hold", "auto-close", "closed"])
async def test_the_clients_answer_opens_again(desk: Desk, status: str) -> None:
    opened = await desk.open(await desk.client())
    put_off = AddEntry.model_validate(
        {
            "ticket_id": opened.ticket.id,
            "kind": "public",
            "body": {"text": "?"},
            "author": AGENT,
            "status": status,
        }
    )
    before = (await desk.ask(put_off)).ticket
    assert (before.status, before.closed_at is not None) == (status, status == "closed")
    contact = Author(type="contact", id=1, name="Alice")
    answer = AddEntry(
        ticket_id=opened.ticket.id, kind="client", body=Body(text="!"), author=contact
    )
    after = (await desk.ask(answer)).ticket
    assert (after.status, after.closed_at, after.closed_by) == ("open", None, None)


async def test_what_a_caller_may_not_touch_is_not_there(desk: Desk) -> None:
    mine = await desk.client()
    other = await desk.client("Other Client", "other.test")
    ticket_id = (await desk.open(other)).ticket.id
    entry = AddEntry(
        ticket_id=ticket_id, kind="client", body=Body(text="x"), author=AGENT, within_client=mine
    )
    commands: tuple[Command[Any], ...] = (
        entry,
        OpenTicket(subject="x", body=Body(text="x"), client_id=other, within_client=mine),
        CreateContact(client_id=other, name="x", within_client=mine),
        CreateDomain(client_id=other, name="x.test", within_client=mine),
    )
    for refused in commands:
        with pytest.raises(NotFound):
            await desk.ask(refused)


async def test_doubles_are_refused(desk: Desk) -> None:
    client_id = await desk.client()
    await desk.ask(CreateAgent(name="Ann", email="ann@example.com"))
    doubles: tuple[Command[Any], ...] = (
        CreateContact(client_id=client_id, name="Alice", email="ALICE@client.test"),
        CreateDomain(client_id=client_id, name="Client.Test."),
        CreateAgent(name="Ann", email="Ann@Example.com"),
    )
    for double in doubles:
        with pytest.raises(Conflict):
            await desk.ask(double)


async def test_one_contact_is_primary(desk: Desk) -> None:
    client_id = await desk.client()
    bob = await desk.ask(
        CreateContact(client_id=client_id, name="Bob", email="bob@client.test", primary=True)
    )
    ticket = (await desk.open(client_id)).ticket
    assert ticket.contact is not None
    assert ticket.contact.id == bob.id


async def test_a_scheduled_ticket(desk: Desk) -> None:
    client_id = await desk.client()
    template = OpenTicket(
        subject="Backup check",
        body=Body(text="Look."),
        client_id=client_id,
        contact_id=1,
        source="schedule",
    )
    command = wrap(
        OpenScheduledTicket(schedule_id=1, occurrence="2026-01-01T09:00", ticket=template)
    )
    await desk.broker.publish(command)
    await desk.broker.publish(command)
    opened = await desk.next(TicketOpened)
    assert (opened.ticket.source, opened.entry.via) == ("schedule", "schedule")
    assert opened.ticket.contact is not None
    assert opened.ticket.created_by.type == "system"
    assert (await desk.open(client_id)).ticket.number == 2


async def test_everything_is_told_anew_page_by_page(desk: Desk) -> None:
    client_id = await desk.client()
    made = [await desk.open(client_id) for _ in range(3)]
    heard = len(desk.heard)
    await desk.broker.publish(wrap(ReplayDocuments()))
    await desk.next(TicketChanged, after=heard)
    told: dict[int, TicketChanged] = {}
    async with asyncio.timeout(10):
        while len(told) < 3:
            events = [e for e in desk.heard[heard:] if isinstance(e, TicketChanged)]
            told = {event.ticket.id: event for event in events}
            await asyncio.sleep(0.01)
    assert {event.ticket for event in told.values()} == {m.ticket for m in made}
