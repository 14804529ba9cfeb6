"""What tickets point at: it must be there, and its new name is shown on all of them."""

import asyncio
from typing import Any

import pytest
from ticket_desk import AGENT, Desk

from deskwire.contracts.actors import Actor, Named, Person, Through
from deskwire.contracts.people import (
    AgentChanges,
    AssetChanges,
    ChangeAgent,
    ChangeAsset,
    ChangeClient,
    ChangeContact,
    ClientChanges,
    ContactChanged,
    ContactChanges,
    CreateAgent,
    CreateAsset,
    RecordRenamed,
)
from deskwire.contracts.ticket_commands import (
    ChangeTicket,
    GetTicket,
    MergeTicket,
    TicketChanges,
    UnmergeTicket,
)
from deskwire.contracts.tickets import Ticket, TicketChanged
from deskwire.errors import NotFound
from deskwire.messaging.envelope import wrap

ACTOR = Actor(author=AGENT, through=Through(type="key", id=3))


async def assets(desk: Desk, client_id: int, *names: str) -> list[int]:
    made = [await desk.ask(CreateAsset(client_id=client_id, name=name)) for name in names]
    return [asset.id for asset in made]


async def archive(desk: Desk, asset_id: int) -> None:
    await desk.ask(ChangeAsset(id=asset_id, changes=AssetChanges(archived=True)))


async def have(desk: Desk, ticket_id: int, *asset_ids: int) -> Ticket:
    changes = TicketChanges(asset_ids=asset_ids)
    return await desk.ask(ChangeTicket(ticket_id=ticket_id, changes=changes, actor=ACTOR))


async def test_a_ticket_names_its_assets_in_their_order(desk: Desk) -> None:
    client_id = await desk.client()
    a, b, c = await assets(desk, client_id, "a", "b", "c")
    opened = (await desk.open(client_id, asset_ids=(c, a, c))).ticket
    assert opened.assets == (Named(id=c, name="c"), Named(id=a, name="a"))
    assert await desk.ask(GetTicket(ticket_id=opened.id)) == opened
    changed = await have(desk, opened.id, b, c)
    assert [asset.name for asset in changed.assets] == ["b", "c"]
    item = (await desk.next(TicketChanged)).history[0]
    assert item.field == "asset_ids"
    assert item.new == [{"id": b, "name": "b"}, {"id": c, "name": "c"}]
    assert (await have(desk, opened.id)).assets == ()


async def test_assets_that_a_ticket_cannot_have(desk: Desk) -> None:
    mine, other = await desk.client(), await desk.client("Other", "other.test")
    a, gone = await assets(desk, mine, "a", "gone")
    (theirs,) = await assets(desk, other, "theirs")
    opened = (await desk.open(mine, asset_ids=(gone,))).ticket
    await archive(desk, gone)
    numbers = await desk.database.pool.fetchval("SELECT value FROM counters")
    for wrong in (theirs, gone, 99):
        with pytest.raises(NotFound) as refused:
            await desk.open(mine, asset_ids=(a, wrong))
        assert (refused.value.field, str(wrong) in str(refused.value)) == ("asset_ids", True)
    with pytest.raises(NotFound):
        await desk.open(asset_ids=(a,))
    assert await desk.database.pool.fetchval("SELECT value FROM counters") == numbers
    kept = await have(desk, opened.id, a, gone)
    assert [asset.name for asset in kept.assets] == ["a", "gone"]
    for wrong in (theirs, 99):
        with pytest.raises(NotFound) as refused:
            await have(desk, opened.id, a, wrong)
        assert refused.value.field == "asset_ids"
    await have(desk, opened.id, a)
    with pytest.raises(NotFound):
        await have(desk, opened.id, a, gone)


async def test_assets_join_at_a_merge_and_go_back(desk: Desk) -> None:
    client_id = await desk.client()
    a, b, c = await assets(desk, client_id, "a", "b", "c")
    source = (await desk.open(client_id, asset_ids=(a, b))).ticket
    target = (await desk.open(client_id, asset_ids=(b, c))).ticket
    merged = await desk.ask(MergeTicket(ticket_id=source.id, into=target.id, actor=ACTOR))
    assert [asset.name for asset in merged.target.assets] == ["b", "c", "a"]
    back = await desk.ask(UnmergeTicket(ticket_id=source.id, actor=ACTOR))
    assert [asset.name for asset in back.target.assets] == ["b", "c"]
    assert [asset.name for asset in back.source.assets] == ["a", "b"]


async def test_archived_people_stay_where_they_are_named(desk: Desk) -> None:
    client_id = await desk.client()
    alice = (await desk.next(ContactChanged)).contact
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    opened = (await desk.open(client_id, assigned_to=agent.id)).ticket
    await desk.ask(ChangeAgent(id=agent.id, changes=AgentChanges(archived=True)))
    await desk.ask(ChangeContact(id=alice.id, changes=ContactChanges(archived=True)))
    changes = TicketChanges(subject="New")
    changed = await desk.ask(ChangeTicket(ticket_id=opened.id, changes=changes, actor=ACTOR))
    assert (changed.contact, changed.assigned_to) == (opened.contact, opened.assigned_to)
    for wrong, field in ((alice.id, "contact_id"), (agent.id, "assigned_to")):
        with pytest.raises(NotFound) as refused:
            await desk.open(client_id, **{field: wrong})
        assert refused.value.field == field
    assert (await desk.open(client_id)).ticket.contact is None


async def test_a_new_name_is_shown_everywhere(desk: Desk) -> None:
    client_id = await desk.client()
    alice = (await desk.next(ContactChanged)).contact
    agent = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    (asset,) = await assets(desk, client_id, "srv1")
    opened = (await desk.open(client_id, assigned_to=agent.id, asset_ids=(asset,))).ticket

    async def after(command: Any) -> Ticket:
        before = await desk.ask(GetTicket(ticket_id=opened.id))
        await desk.ask(command)
        told = await desk.next(TicketChanged, where=lambda e: e.ticket.version > before.version)
        assert told.ticket.version == before.version + 1
        assert told.ticket.updated_at == opened.updated_at
        assert (told.thread, told.history) == (None, ())
        return told.ticket

    renamed = await after(ChangeClient(id=client_id, changes=ClientChanges(name="New")))
    assert renamed.client == Named(id=client_id, name="New")
    changes = ContactChanges(email="a@client.test")
    renamed = await after(ChangeContact(id=alice.id, changes=changes))
    assert renamed.contact == Person(id=alice.id, name="Alice", email="a@client.test")
    renamed = await after(ChangeAgent(id=agent.id, changes=AgentChanges(name="Benjamin")))
    assert renamed.assigned_to == Person(id=agent.id, name="Benjamin", email="ben@example.com")
    renamed = await after(ChangeAsset(id=asset, changes=AssetChanges(name="srv2")))
    assert renamed.assets == (Named(id=asset, name="srv2"),)


async def test_what_tickets_do_not_show_tells_nothing_anew(desk: Desk) -> None:
    client_id = await desk.client()
    opened = (await desk.open(client_id)).ticket
    changes = ClientChanges(notes="n", archived=True)
    await desk.ask(ChangeClient(id=client_id, changes=changes))
    await desk.ask(ChangeClient(id=client_id, changes=ClientChanges(name="Example Client")))
    rows = await desk.database.pool.fetch("SELECT type FROM outbox")
    assert RecordRenamed.wire_name not in {row["type"] for row in rows}
    assert await desk.ask(GetTicket(ticket_id=opened.id)) == opened


MANY = """
WITH made AS (
    INSERT INTO tickets (number, prefix, subject, status, priority, source, client_id, watchers,
                         tags, billable, created_by)
    SELECT n, 'TCK-', 'Ticket', 'open', 'low', 'api', $1, '{}', '{}', false, '{"type": "system"}'
    FROM generate_series(1, $2) n RETURNING id
)
INSERT INTO entries (ticket_id, origin_ticket_id, kind, opening, author, body_text, via)
SELECT id, id, 'public', true, '{"type": "system"}', 'It is on fire.', 'api' FROM made
"""


async def test_many_tickets_are_told_newest_first_and_block_nobody(desk: Desk) -> None:
    client_id, count = await desk.client(), 2_500
    await desk.database.pool.execute(MANY, client_id, count)
    await desk.database.pool.execute("UPDATE counters SET value = $1", count)
    loop = asyncio.get_running_loop()
    await desk.ask(ChangeClient(id=client_id, changes=ClientChanges(name="New")))
    renamed, slowest = loop.time(), 0.0
    opened = []
    while len(told := [t for t in _retold(desk) if t.id <= count]) < count:
        assert loop.time() < renamed + 60
        began = loop.time()
        opened.append((await desk.open(client_id)).ticket)
        slowest = max(slowest, loop.time() - began)
    assert {ticket.client for ticket in (*told, *opened)} == {Named(id=client_id, name="New")}
    assert [ticket.id for ticket in told] == list(range(count, 0, -1))
    assert slowest < 5


async def test_a_page_that_comes_twice_is_told_once(desk: Desk) -> None:
    client_id = await desk.client()
    await desk.database.pool.execute(MANY, client_id, 150)
    page = wrap(RecordRenamed(kind="client", id=client_id))
    await asyncio.gather(*(desk.broker.publish(page) for _ in range(3)))
    await desk.next(TicketChanged, where=lambda e: e.ticket.id == 1)
    versions = await desk.database.pool.fetch("SELECT DISTINCT version FROM tickets")
    assert [row["version"] for row in versions] == [2]


async def test_tickets_opened_while_a_client_is_renamed_show_its_new_name(desk: Desk) -> None:
    client_id = await desk.client()
    for turn in range(5):
        name = f"Name {turn}"
        rename = desk.ask(ChangeClient(id=client_id, changes=ClientChanges(name=name)))
        await asyncio.gather(*(desk.open(client_id) for _ in range(20)), rename)
        newest = await desk.database.pool.fetchval("SELECT max(id) FROM tickets")
        async with asyncio.timeout(10):
            while {t.client.name for t in _latest(desk).values() if t.client} != {name}:
                await asyncio.sleep(0.01)
        assert len(_latest(desk)) == newest


def _retold(desk: Desk) -> list[Ticket]:
    """As they were told, each version once: two queues hear of it."""
    told = (event.ticket for event in desk.heard if isinstance(event, TicketChanged))
    return list({(ticket.id, ticket.version): ticket for ticket in told}.values())


def _latest(desk: Desk) -> dict[int, Ticket]:
    """Each ticket as a projector has it: the newest version of all that was told."""
    found: dict[int, Ticket] = {}
    for event in desk.heard:
        ticket = getattr(event, "ticket", None)
        if isinstance(ticket, Ticket):
            before = found.setdefault(ticket.id, ticket)
            found[ticket.id] = max(before, ticket, key=lambda t: t.version)
    return found
