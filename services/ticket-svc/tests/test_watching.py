"""Who watches a ticket and wants no more of its mails."""

import pytest
from ticket_desk import ACTOR, Desk

from deskwire.contracts.ticket_commands import MergeTicket, StopWatching
from deskwire.contracts.tickets import TicketChanged
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
