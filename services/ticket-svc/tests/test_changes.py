"""Tickets that are changed: their fields, their status, who has them; and who did it."""

import asyncio
from typing import Any

import pytest
from ticket_desk import AGENT, Desk

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.mail import Body
from deskwire.contracts.people import ChangeClient, ClientChanges, CreateAgent, CreateContact
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.settings import PolicyChanges, UpdateClientSettings
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    EditEntry,
    GetTicket,
    RedactEntry,
    TicketChanges,
)
from deskwire.contracts.tickets import (
    EntryChanged,
    HistoryTold,
    Ticket,
    TicketChanged,
    TicketReplied,
)
from deskwire.contracts.timekeeping import AddTime, TimeChanged
from deskwire.errors import Conflict, Forbidden, NotFound, StaleVersion
from deskwire.messaging.envelope import wrap

ACTOR = Actor(author=AGENT, through=Through(type="key", id=3))


async def change(desk: Desk, ticket_id: int, **wanted: Any) -> Ticket:
    known = ("if_version", "within_client", "refuse_unchanged")
    options = {n: wanted.pop(n) for n in known if n in wanted}
    changes = TicketChanges.model_validate(wanted)
    return await desk.ask(
        ChangeTicket(ticket_id=ticket_id, changes=changes, actor=ACTOR, **options)
    )


async def test_fields_are_changed_and_remembered(desk: Desk) -> None:
    client_id = await desk.client()
    opened = (await desk.open(client_id)).ticket
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    changed = await change(
        desk, opened.id, subject="New", priority="high", assigned_to=agent.id, tags=("a", "b")
    )
    assert changed.assigned_to is not None
    assert changed.assigned_to.email == "ben@example.com"
    assert (changed.subject, changed.priority, changed.tags) == ("New", "high", ("a", "b"))
    assert changed.version == opened.version + 1
    assert changed.updated_at > opened.updated_at
    told = await desk.next(TicketChanged)
    assert told.ticket == changed
    history = {item.field: (item.old, item.new) for item in told.history}
    assert history == {
        "subject": ("Printer", "New"),
        "priority": ("low", "high"),
        "assigned_to": (None, {"id": agent.id, "name": "Ben"}),
        "tags": ([], ["a", "b"]),
    }
    assert {(item.by, item.through) for item in told.history} == {(AGENT, ACTOR.through)}
    assert told.thread is not None
    assert await desk.ask(GetTicket(ticket_id=opened.id)) == changed


async def test_what_is_so_already_is_no_change(desk: Desk) -> None:
    opened = (await desk.open(await desk.client())).ticket
    assert await change(desk, opened.id, subject="Printer", status="open", tags=()) == opened
    assert await change(desk, opened.id) == opened
    with pytest.raises(Conflict, match="so already"):
        await change(desk, opened.id, subject="Printer", refuse_unchanged=True)
    changed = await change(desk, opened.id, subject="New", refuse_unchanged=True)
    assert changed.version == opened.version + 1


async def test_values_are_taken_back(desk: Desk) -> None:
    client_id = await desk.client()
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    opened = (await desk.open(client_id, assigned_to=agent.id, category="printers")).ticket
    changed = await change(desk, opened.id, assigned_to=None, category=None, contact_id=None)
    assert (changed.assigned_to, changed.category, changed.contact) == (None, None, None)


async def test_a_version_that_was_not_seen_changes_nothing(desk: Desk) -> None:
    opened = (await desk.open()).ticket
    await change(desk, opened.id, subject="One", if_version=1)
    with pytest.raises(StaleVersion):
        await change(desk, opened.id, subject="Two", if_version=1)
    results = await asyncio.gather(
        *(change(desk, opened.id, subject=f"s{n}", if_version=2) for n in range(20)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Ticket) for result in results) == 1
    assert sum(isinstance(result, StaleVersion) for result in results) == 19


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"assigned_to": 99}, "assigned_to"), ({"contact_id": 99}, "contact_id")],
)
async def test_what_is_not_there_is_refused(desk: Desk, wanted: dict[str, int], field: str) -> None:
    opened = (await desk.open(await desk.client())).ticket
    with pytest.raises(NotFound) as refused:
        await change(desk, opened.id, **wanted)
    assert refused.value.field == field
    with pytest.raises(NotFound):
        await change(desk, 99, subject="x")


async def test_a_contact_of_another_client_is_not_there(desk: Desk) -> None:
    mine, other = await desk.client(), await desk.client("Other", "other.test")
    contact = await desk.ask(CreateContact(client_id=other, name="Olga", email="o@other.test"))
    opened = (await desk.open(mine)).ticket
    with pytest.raises(NotFound):
        await change(desk, opened.id, contact_id=contact.id)
    with pytest.raises(NotFound):
        await change(desk, opened.id, subject="x", within_client=other)


async def test_a_ticket_of_nobody_is_given_to_a_client(desk: Desk) -> None:
    client_id = await desk.client()
    contact = await desk.ask(CreateContact(client_id=client_id, name="Cy", email="cy@acme.test"))
    opened = (await desk.open(None)).ticket
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    worked = AddTime(ticket_id=opened.id, agent_id=agent.id, seconds=60, actor=ACTOR)
    assert (await desk.ask(worked)).time.client is None
    given = await change(desk, opened.id, client_id=client_id, contact_id=contact.id)
    assert given.client is not None
    assert (given.client.id, given.contact and given.contact.id) == (client_id, contact.id)
    told = await desk.next(TicketChanged, where=lambda event: event.ticket.client is not None)
    assert [item.new for item in told.history if item.field == "client_id"] == [
        {"id": client_id, "name": given.client.name}
    ]
    time = await desk.next(TimeChanged, where=lambda event: event.time.client is not None)
    assert (time.time.client, time.time.seconds) == (given.client, 60)


async def test_a_ticket_stays_its_clients(desk: Desk) -> None:
    mine, other = await desk.client(), await desk.client("Other", "other.test")
    opened = (await desk.open(mine)).ticket
    with pytest.raises(Conflict, match="already") as refused:
        await change(desk, opened.id, client_id=other)
    assert refused.value.field == "client_id"
    assert await change(desk, opened.id, client_id=mine) == opened
    await desk.ask(ChangeClient(id=other, changes=ClientChanges(archived=True)))
    nobodys = (await desk.open(None)).ticket
    for gone, told in ((other, "the client is archived"), (99, "there is no client 99")):
        with pytest.raises(NotFound, match=told):
            await change(desk, nobodys.id, client_id=gone)


async def test_no_ticket_goes_to_a_client_that_is_just_archived(desk: Desk) -> None:
    """Whoever names a client waits for those who change it, as they do who open a ticket."""
    client_id, nobodys = await desk.client(), (await desk.open(None)).ticket
    async with desk.database.transaction() as archiving:
        await archiving.connection.execute(
            "UPDATE clients SET archived_at = now() WHERE id = $1", client_id
        )
        given = asyncio.create_task(change(desk, nobodys.id, client_id=client_id))
        await asyncio.wait([given], timeout=0.5)
    with pytest.raises(NotFound, match="the client is archived"):
        await given


async def test_what_a_client_is_promised_counts_from_then_on(desk: Desk) -> None:
    client_id = await desk.client()
    wanted = PolicyChanges.model_validate({"targets": {"low": {"resolution": 600}}})
    await desk.ask(
        UpdateClientSettings(client_id=client_id, changes=wanted, if_version=1, actor=ACTOR)
    )
    opened = (await desk.open(None)).ticket
    assert opened.due_at is None
    assert (await change(desk, opened.id, client_id=client_id)).due_at is not None


async def test_closing_and_reopening(desk: Desk) -> None:
    opened = (await desk.open(await desk.client())).ticket
    closed = await change(desk, opened.id, status="closed")
    assert closed.closed_at is not None
    assert closed.closed_by == AGENT
    told = await desk.next(TicketChanged, where=lambda e: e.ticket.status == "closed")
    assert told.notify_client
    assert told.thread is not None
    for status in ("hold", "auto-close"):
        with pytest.raises(Conflict):
            await change(desk, opened.id, status=status)
    reopened = await change(desk, opened.id, status="working")
    assert (reopened.closed_at, reopened.closed_by) == (None, None)


async def test_a_reply_that_closes_is_in_the_history(desk: Desk) -> None:
    opened = (await desk.open(await desk.client())).ticket
    reply = AddEntry(
        ticket_id=opened.id,
        kind="public",
        body=Body(text="Done."),
        author=AGENT,
        through=ACTOR.through,
        status="closed",
    )
    await desk.ask(reply)
    (item,) = (await desk.next(TicketReplied)).history
    assert (item.field, item.old, item.new, item.by) == ("status", "open", "closed", AGENT)
    with pytest.raises(Conflict):
        await desk.ask(reply.model_copy(update={"status": "hold"}))
    client = Author(type="contact", id=1, name="Alice")
    await desk.ask(reply.model_copy(update={"status": None, "kind": "client", "author": client}))
    again = await desk.next(TicketReplied, where=lambda e: e.entry.kind == "client")
    assert [(item.old, item.new) for item in again.history] == [("closed", "open")]


async def note(desk: Desk, ticket_id: int, text: str = "A note.", kind: Any = "internal") -> int:
    body = Body(text=text)
    made = await desk.ask(AddEntry(ticket_id=ticket_id, kind=kind, body=body, author=AGENT))
    return made.entry.id


async def test_own_notes_are_edited_and_nothing_else(desk: Desk) -> None:
    opened = await desk.open(await desk.client())
    ticket_id = opened.ticket.id
    mine, public = await note(desk, ticket_id), await note(desk, ticket_id, kind="public")
    edit = EditEntry(ticket_id=ticket_id, entry_id=mine, body=Body(text="Better."), actor=ACTOR)
    edited = await desk.ask(edit)
    assert edited.entry.body.text == "Better."
    assert edited.entry.edited_at is not None
    assert (await desk.next(EntryChanged)).entry == edited.entry
    told = await desk.next(TicketChanged)
    assert [(i.field, i.new) for i in told.history] == [("entry.edited", mine)]
    other = Actor(author=Author(type="agent", id=2), through=ACTOR.through)
    for refused in ({"actor": other}, {"entry_id": public}, {"entry_id": opened.entry.id}):
        with pytest.raises(Forbidden):
            await desk.ask(edit.model_copy(update=refused))
    with pytest.raises(StaleVersion):
        await desk.ask(edit.model_copy(update={"if_version": 1}))
    with pytest.raises(NotFound):
        await desk.ask(edit.model_copy(update={"entry_id": 99}))


async def test_a_redacted_entry_has_no_text_anywhere(desk: Desk) -> None:
    opened = await desk.open(await desk.client(), body=Body(text="Secret.", html="<p>Secret.</p>"))
    command = RedactEntry(ticket_id=opened.ticket.id, entry_id=opened.entry.id, actor=ACTOR)
    redacted = await desk.ask(command)
    assert redacted.entry.body == Body(text="")
    assert redacted.entry.redacted_by == AGENT
    assert redacted.ticket.body == Body(text="")
    assert redacted.ticket.version == 2
    assert (await desk.ask(command)).entry == redacted.entry
    rows = await desk.database.pool.fetch("SELECT * FROM entries")
    assert "Secret" not in str([dict(row) for row in rows])
    with pytest.raises(Forbidden):
        await desk.ask(
            EditEntry(
                ticket_id=opened.ticket.id,
                entry_id=opened.entry.id,
                body=Body(text="x"),
                actor=ACTOR,
            )
        )


async def test_history_is_told_anew_and_never_changed(desk: Desk) -> None:
    opened = (await desk.open()).ticket
    await change(desk, opened.id, subject="New")
    await desk.broker.publish(wrap(ReplayDocuments()))
    told = await desk.next(HistoryTold)
    assert (told.item.field, told.item.new) == ("subject", "New")
    for sql in ("UPDATE history SET field = 'x'", "DELETE FROM history", "TRUNCATE history"):
        with pytest.raises(Exception, match="only ever added to"):
            await desk.database.pool.execute(sql)
