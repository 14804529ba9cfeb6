"""Contacts say how their tickets went."""

import asyncio

import pytest
from ticket_desk import ACTOR, Desk

from deskwire.contracts.people import CreateClient, CreateContact
from deskwire.contracts.terms import Rating
from deskwire.contracts.ticket_commands import ChangeTicket, MergeTicket, RateTicket, TicketChanges
from deskwire.contracts.tickets import Ticket, TicketChanged, TicketRated
from deskwire.errors import NotFound


async def opened(desk: Desk) -> tuple[int, int]:
    """The ids of a ticket and of its contact."""
    ticket = (await desk.open(await desk.client())).ticket
    assert ticket.contact is not None
    return ticket.id, ticket.contact.id


async def rate(desk: Desk, of: tuple[int, int], rating: Rating, comment: str = "") -> Ticket:
    ticket_id, contact_id = of
    return await desk.ask(
        RateTicket(
            ticket_id=ticket_id, contact_id=contact_id, rating=rating, comment=comment or None
        )
    )


async def test_the_last_word_counts_and_the_same_again_is_no_change(desk: Desk) -> None:
    of = await opened(desk)
    first = await rate(desk, of, "good")
    assert first.feedback is not None
    assert first.feedback.by.email == "alice@client.test"
    assert (await rate(desk, of, "good")).version == first.version
    last = await rate(desk, of, "bad", "It broke again.")
    assert last.feedback is not None
    assert (last.feedback.rating, last.feedback.comment) == ("bad", "It broke again.")
    told = await desk.next(TicketRated, where=lambda event: event.ticket == last)
    (item,) = told.history
    assert (item.field, item.through.type, item.by.type) == ("feedback", "link", "contact")
    assert (item.old, item.new) == (
        {"rating": "good", "comment": None},
        {"rating": "bad", "comment": "It broke again."},
    )


async def test_many_at_once_are_one_after_the_other(desk: Desk) -> None:
    of = await opened(desk)
    found = await asyncio.gather(*(rate(desk, of, "good", "Fine.") for _ in range(10)))
    assert len({ticket.version for ticket in found}) == 1


async def test_who_is_not_of_the_ticket_s_client_says_nothing(desk: Desk) -> None:
    ticket_id, _ = await opened(desk)
    other = await desk.ask(CreateClient(name="Other"))
    contact = await desk.ask(CreateContact(client_id=other.id, name="Eve", email="eve@o.test"))
    for of in ((ticket_id, contact.id), (ticket_id, 4711), (4711, contact.id)):
        with pytest.raises(NotFound):
            await rate(desk, of, "good")


async def test_a_merged_ticket_is_what_was_asked_about(desk: Desk) -> None:
    of = await opened(desk)
    client_id = await desk.database.pool.fetchval("SELECT client_id FROM tickets")
    into = (await desk.open(client_id)).ticket
    await desk.ask(MergeTicket(ticket_id=of[0], into=into.id, actor=ACTOR))
    rated = await rate(desk, of, "good")
    assert (rated.id, rated.merged_into) == (of[0], into.id)
    assert rated.feedback is not None


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_settings_say_whether_it_is_asked_for(desk: Desk, wanted: bool) -> None:
    if not wanted:
        await desk.settings(feedback=False)
    ticket_id, _ = await opened(desk)
    closing = TicketChanges(status="closed")
    await desk.ask(ChangeTicket(ticket_id=ticket_id, changes=closing, actor=ACTOR))
    told = await desk.next(TicketChanged)
    assert told.thread is not None
    assert told.thread.feedback is wanted
