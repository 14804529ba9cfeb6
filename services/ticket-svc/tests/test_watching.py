"""Who watches a ticket: the client's technical contacts, and who wants no more of its mails."""

from typing import Any

import pytest
from ticket_desk import ACTOR, Desk

from deskwire.contracts.mail import Address, Body
from deskwire.contracts.people import ChangeContact, ContactChanges, CreateContact
from deskwire.contracts.records import Contact
from deskwire.contracts.ticket_commands import AddEntry, MergeTicket, OpenTicket, StopWatching
from deskwire.contracts.tickets import TicketChanged, TicketReplied
from deskwire.errors import NotFound


async def test_a_watcher_stops_and_the_same_again_is_no_change(desk: Desk) -> None:
    client_id = await desk.client()
    watched = (await desk.open(client_id, watchers=("Wim@client.test", "eva@client.test"))).ticket
    stop = StopWatching(ticket_id=watched.id, email="wim@client.test")
    after = await desk.ask(stop)
    assert after.watchers == ("eva@client.test",)
    told = await desk.next(TicketChanged)
    assert (told.ticket, told.thread) == (after, None)
    (item,) = told.history
    assert (item.field, item.by.email, item.through.type) == ("watchers", "wim@client.test", "link")
    assert (await desk.ask(stop)).version == after.version
    with pytest.raises(NotFound):
        await desk.ask(stop.model_copy(update={"ticket_id": 4711}))


async def test_who_stops_watching_what_was_merged_hears_of_neither(desk: Desk) -> None:
    client_id = await desk.client()
    source = (await desk.open(client_id, watchers=("wim@client.test",))).ticket
    into = (await desk.open(client_id)).ticket
    merged = await desk.ask(MergeTicket(ticket_id=source.id, into=into.id, actor=ACTOR))
    assert merged.target.watchers == ("wim@client.test",)
    after = await desk.ask(StopWatching(ticket_id=source.id, email="wim@client.test"))
    assert (after.id, after.watchers) == (into.id, ())


async def test_who_stopped_watching_is_not_brought_back_by_a_copied_answer(desk: Desk) -> None:
    client_id = await desk.client()
    ticket = (await desk.open(client_id, watchers=("Wim@else.test",))).ticket
    await desk.ask(StopWatching(ticket_id=ticket.id, email="wim@else.test"))
    cc = [Address(email=email) for email in ("WIM@else.test", "eva@else.test")]
    subject = f"Re: [{ticket.reference}]"
    await desk.mail("alice@client.test", subject=subject, cc=cc, authentication="pass")
    assert (await desk.next(TicketReplied)).ticket.watchers == ("eva@else.test",)
    heard = len(desk.heard)
    asked = {"kind": "public", "body": Body(text="!"), "cc": ["wim@else.test"]}
    said = {"ticket_id": ticket.id, "author": ACTOR.author} | asked
    await desk.ask(AddEntry.model_validate(said))
    again = await desk.next(TicketReplied, after=heard)
    assert again.ticket.watchers == ("eva@else.test", "wim@else.test")


async def technical(desk: Desk, client_id: int, name: str, **more: Any) -> Contact:
    values = {"client_id": client_id, "name": name, "technical": True} | more
    email = {"email": f"{name.lower()}@client.test"}
    return await desk.ask(CreateContact.model_validate(email | values))


async def change(desk: Desk, contact: Contact, **changes: Any) -> None:
    wanted = ContactChanges.model_validate(changes)
    await desk.ask(ChangeContact(id=contact.id, changes=wanted))


async def test_technical_contacts_watch_a_ticket_that_names_no_contact(desk: Desk) -> None:
    client_id = await desk.client()
    await technical(desk, await desk.client("Other", "other.test"), "Otto")
    tom, tea = [await technical(desk, client_id, name) for name in ("Tom", "Tea")]
    ticket = (await desk.open(client_id, watchers=("wim@client.test", "TOM@client.test"))).ticket
    assert ticket.watchers == ("wim@client.test", "TOM@client.test", "tea@client.test")
    assert ticket.contact is not None
    assert ticket.contact.name == "Alice"
    assert (await desk.open(client_id, contact_id=tom.id)).ticket.watchers == ()
    by_mail = await desk.mail("alice@client.test")
    changed = "SELECT watchers FROM tickets WHERE id = $1"
    assert await desk.database.pool.fetchval(changed, by_mail.ticket_id) == []
    assert (await desk.open()).ticket.watchers == ()
    await change(desk, tea, primary=True)
    assert (await desk.open(client_id)).ticket.watchers == ("tom@client.test",)


async def test_but_not_those_who_cannot_or_do_not_want_to_hear_of_it(desk: Desk) -> None:
    client_id = await desk.client()
    gone, quiet = [await technical(desk, client_id, name) for name in ("Gus", "Quinn")]
    await technical(desk, client_id, "Nell", email=None)
    await technical(desk, client_id, "Una")
    await change(desk, gone, archived=True)
    await change(desk, quiet, notifications=False)
    bounced = "UPDATE contacts SET undeliverable = 'unknown' WHERE name = 'Una'"
    await desk.database.pool.execute(bounced)
    assert (await desk.open(client_id)).ticket.watchers == ()


async def test_what_a_technical_contact_answers_counts(desk: Desk) -> None:
    """And on a ticket that they do not watch, as of every contact of the client."""
    client_id = await desk.client()
    tom = await technical(desk, client_id, "Tom")
    alice = (await desk.open(client_id)).ticket.contact
    assert alice is not None
    for named in (None, alice.id):
        heard = len(desk.heard)
        template = OpenTicket(
            subject="Backup", body=Body(text="It failed."), client_id=client_id, contact_id=named
        )
        ticket = (await desk.ask(template)).ticket
        await desk.mail("tom@client.test", subject=f"Re: [{ticket.reference}] Backup")
        told = await desk.next(TicketReplied, after=heard)
        assert (told.ticket.id, told.entry.kind, told.entry.verified) == (ticket.id, "client", True)
        assert (told.entry.author.type, told.entry.author.id) == ("contact", tom.id)
