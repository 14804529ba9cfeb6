"""Time worked: told, changed, taken back, counted by timers; what a ticket's sum is made of."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from ticket_desk import Desk

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Command, Reply
from deskwire.contracts.mail import Body
from deskwire.contracts.people import CreateAgent
from deskwire.contracts.records import Agent
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    GetTicket,
    MergeTicket,
    TicketChanges,
    TicketEntry,
    UnmergeTicket,
)
from deskwire.contracts.tickets import EntryChanged, TicketChanged
from deskwire.contracts.timekeeping import (
    AddTime,
    ChangeTime,
    KeptTime,
    RemoveTime,
    StartTimer,
    StopTimer,
    TimeChanged,
    TimeChanges,
    TimeEntry,
)
from deskwire.errors import Conflict, Forbidden, Invalid, NotFound, Rejected, StaleVersion
from deskwire.messaging.envelope import wrap
from deskwire.messaging.requests import ask

KEY = Actor(author=Author(type="system", name="integration"), through=Through(type="key", id=3))


def actor(agent: Agent) -> Actor:
    author = Author(type="agent", id=agent.id, name=agent.name, email=agent.email)
    return Actor(author=author, through=Through(type="key", id=4))


async def agent(desk: Desk, name: str = "Ann") -> Agent:
    return await desk.ask(CreateAgent(name=name, email=f"{name.lower()}@example.com"))


async def opened(desk: Desk, **fields: Any) -> int:
    return (await desk.open(**fields)).ticket.id


async def add(desk: Desk, ticket_id: int, by: Actor, seconds: int = 600, **more: Any) -> KeptTime:
    return await desk.ask(AddTime(ticket_id=ticket_id, seconds=seconds, actor=by, **more))


async def start(desk: Desk, ticket_id: int, by: Actor, **more: Any) -> KeptTime:
    return await desk.ask(StartTimer(ticket_id=ticket_id, actor=by, **more))


async def stop(desk: Desk, ticket_id: int, by: Actor, **more: Any) -> KeptTime:
    return await desk.ask(StopTimer(ticket_id=ticket_id, actor=by, **more))


async def change(desk: Desk, time: TimeEntry, by: Actor, **wanted: Any) -> KeptTime:
    version = wanted.pop("if_version", None)
    return await desk.ask(
        ChangeTime(
            ticket_id=time.ticket_id,
            time_id=time.id,
            changes=TimeChanges.model_validate(wanted),
            actor=by,
            if_version=version,
        )
    )


async def remove(desk: Desk, time: TimeEntry, by: Actor) -> KeptTime:
    return await desk.ask(RemoveTime(ticket_id=time.ticket_id, time_id=time.id, actor=by))


async def worked(desk: Desk, *ticket_ids: int) -> list[int]:
    return [(await desk.ask(GetTicket(ticket_id=id))).time_worked for id in ticket_ids]


async def backdate(desk: Desk, time: TimeEntry, seconds: int) -> None:
    await desk.database.pool.execute(
        "UPDATE time_entries SET started_at = started_at - $2 * interval '1 second' WHERE id = $1",
        time.id,
        seconds,
    )


async def reply(desk: Desk, ticket_id: int, author: Author, seconds: int) -> TicketEntry:
    body = Body(text="Done.")
    command = AddEntry(
        ticket_id=ticket_id, kind="public", body=body, author=author, time_worked=seconds
    )
    return await desk.ask(command)


async def test_time_is_added_changed_and_taken_back(desk: Desk) -> None:
    client, ann = await desk.client(), await agent(desk)
    ticket = await opened(desk, client_id=client, billable=True)
    added = await add(desk, ticket, actor(ann), 600, note="Toner.")
    time = added.time
    assert (time.agent and time.agent.name, time.client and time.client.id) == ("Ann", client)
    assert (time.seconds, time.billable, time.note) == (600, True, "Toner.")
    assert (time.reference, time.version) == ("TCK-1", 1)
    ended = time.started_at + timedelta(seconds=600)
    assert abs(ended - datetime.now(UTC)) < timedelta(minutes=1)
    assert [t.time_worked for t in added.tickets] == await worked(desk, ticket) == [600]
    await desk.next(TicketChanged, where=lambda e: e.ticket == added.tickets[0])

    changed = await change(desk, time, actor(ann), seconds=900, billable=False)
    assert (changed.time.seconds, changed.time.billable, changed.time.version) == (900, False, 2)
    told = await desk.next(TimeChanged, where=lambda e: e.time == changed.time)
    (item,) = told.history
    assert (item.field, item.old, item.new) == (
        "time",
        {**_shown(time), "seconds": 600, "billable": True},
        {**_shown(time), "seconds": 900, "billable": False},
    )
    assert await change(desk, changed.time, actor(ann), seconds=900) == KeptTime(time=changed.time)
    assert (await change(desk, time, actor(ann), note="Drum.")).tickets == ()
    assert await worked(desk, ticket) == [900]

    removed = await remove(desk, time, actor(ann))
    assert removed.time.deleted_at is not None
    assert await worked(desk, ticket) == [0]
    told = await desk.next(TimeChanged, where=lambda e: e.time == removed.time)
    assert (told.history[0].old["seconds"], told.history[0].new) == (900, None)  # type: ignore[index,call-overload]  # JSON
    with pytest.raises(NotFound):
        await remove(desk, time, actor(ann))
    with pytest.raises(NotFound):
        await change(desk, time, actor(ann), seconds=1)


def _shown(time: TimeEntry) -> dict[str, Any]:
    names = {"id", "agent", "seconds", "started_at", "billable", "note"}
    return time.model_dump(mode="json", include=names)


async def test_what_is_refused(desk: Desk) -> None:
    ann, bob = await agent(desk), await agent(desk, "Bob")
    ticket, other = await opened(desk), await opened(desk)
    soon, never = datetime.now(UTC) + timedelta(minutes=10), datetime(1999, 1, 1, tzinfo=UTC)
    refused: Sequence[tuple[type[Rejected], Command[KeptTime]]] = [
        (Invalid, AddTime(ticket_id=ticket, seconds=0, actor=actor(ann))),
        (Invalid, AddTime(ticket_id=ticket, seconds=366 * 86_400 + 1, actor=actor(ann))),
        (Invalid, AddTime(ticket_id=ticket, seconds=10**15, actor=actor(ann))),
        (Invalid, AddTime(ticket_id=ticket, seconds=1, started_at=soon, actor=actor(ann))),
        (Invalid, AddTime(ticket_id=ticket, seconds=1, started_at=never, actor=actor(ann))),
        (Invalid, AddTime(ticket_id=ticket, seconds=1, actor=KEY)),
        (Forbidden, AddTime(ticket_id=ticket, seconds=1, agent_id=bob.id, actor=actor(ann))),
        (NotFound, AddTime(ticket_id=ticket, seconds=1, agent_id=99, actor=KEY)),
        (NotFound, AddTime(ticket_id=99, seconds=1, actor=actor(ann))),
        (NotFound, StartTimer(ticket_id=99, actor=actor(ann))),
        (Invalid, StartTimer(ticket_id=ticket, actor=KEY)),
        (Conflict, StopTimer(ticket_id=ticket, actor=actor(ann))),
    ]
    for error, command in refused:
        with pytest.raises(error):
            await desk.ask(command)
    time = (await add(desk, ticket, KEY, agent_id=bob.id)).time
    with pytest.raises(Forbidden):
        await change(desk, time, actor(ann), seconds=1)
    with pytest.raises(Forbidden):
        await remove(desk, time, actor(ann))
    with pytest.raises(StaleVersion):
        await change(desk, time, KEY, seconds=1, if_version=7)
    with pytest.raises(NotFound):
        await change(desk, time.model_copy(update={"ticket_id": other}), KEY, seconds=1)
    with pytest.raises(NotFound):
        await change(desk, time, KEY, agent_id=99)
    given = await change(desk, time, KEY, agent_id=ann.id)
    assert given.time.agent is not None
    assert given.time.agent.name == "Ann"
    assert await worked(desk, ticket, other) == [600, 0]


async def test_a_timer_counts_until_it_is_stopped(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk)
    running = (await start(desk, ticket, actor(ann), note="Looking.")).time
    assert (running.seconds, running.billable) == (None, False)
    assert await worked(desk, ticket) == [0]
    await backdate(desk, running, 3600)
    closing = ChangeTicket(
        ticket_id=ticket, changes=TicketChanges(status="closed"), actor=actor(ann)
    )
    await desk.ask(closing)  # which leaves the timer
    with pytest.raises(Conflict):
        await change(desk, running, actor(ann), seconds=5)
    stopped = await stop(desk, ticket, actor(ann), note="Looked.")
    assert stopped.time.seconds in range(3600, 3620)
    assert (stopped.time.id, stopped.time.note) == (running.id, "Looked.")
    assert await worked(desk, ticket) == [stopped.time.seconds]
    with pytest.raises(Conflict):
        await stop(desk, ticket, actor(ann))


async def test_a_timer_that_just_started_or_was_forgotten(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk)
    await start(desk, ticket, actor(ann))
    assert (await stop(desk, ticket, actor(ann))).time.seconds in range(1, 20)
    await backdate(desk, (await start(desk, ticket, actor(ann))).time, 400 * 86_400)
    assert (await stop(desk, ticket, actor(ann))).time.seconds == 366 * 86_400


async def test_an_agent_has_one_timer(desk: Desk) -> None:
    ann, bob = await agent(desk), await agent(desk, "Bob")
    one, two = await opened(desk), await opened(desk)
    running = (await start(desk, one, actor(ann))).time
    await start(desk, one, KEY, agent_id=bob.id)
    with pytest.raises(Conflict, match="on TCK-1 since"):
        await start(desk, two, actor(ann))
    with pytest.raises(Conflict, match="runs on TCK-1"):
        await stop(desk, two, actor(ann))
    await backdate(desk, running, 100)
    with pytest.raises(NotFound):
        await start(desk, 99, actor(ann), switch=True)
    switched = await start(desk, two, actor(ann), switch=True)
    assert switched.stopped is not None
    assert (switched.stopped.id, switched.time.ticket_id) == (running.id, two)
    assert await worked(desk, one, two) == [switched.stopped.seconds, 0]
    with pytest.raises(asyncpg.UniqueViolationError):
        await desk.database.pool.execute(
            "INSERT INTO time_entries (ticket_id, origin_ticket_id, agent_id, started_at, billable)"
            " VALUES ($1, $1, $2, now(), true)",
            one,
            ann.id,
        )
    assert (await remove(desk, switched.time, actor(ann))).tickets == ()
    assert (await start(desk, one, actor(ann), switch=True)).stopped is None


async def test_fifty_starts_at_once(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk)
    answers = await asyncio.gather(
        *(start(desk, ticket, actor(ann)) for _ in range(50)), return_exceptions=True
    )
    assert sum(isinstance(answer, KeptTime) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 49


async def test_fifty_switches_at_once(desk: Desk) -> None:
    """Over several connections: each stops the timer of the one before it, and one is left."""
    ann, tickets = await agent(desk), [await opened(desk) for _ in range(5)]
    answers = await asyncio.gather(
        *(start(desk, tickets[n % 5], actor(ann), switch=True) for n in range(50))
    )
    assert sum(answer.stopped is None for answer in answers) == 1
    rows = await desk.database.pool.fetch(
        "SELECT ticket_id, coalesce(sum(seconds), 0), count(*) FILTER (WHERE seconds IS NULL) "
        "FROM time_entries GROUP BY 1 ORDER BY 1"
    )
    assert sum(row[2] for row in rows) == 1
    assert await worked(desk, *tickets) == [row[1] for row in rows]


async def test_redelivered_commands_have_one_effect(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk)

    async def twice(command: Command[Reply]) -> Reply:
        id = uuid4()
        first, second = [await ask(desk.broker, command, id=id) for _ in range(2)]
        assert (first.replayed, second.replayed) == (False, True)
        assert first.reply == second.reply
        return first.reply

    await twice(StartTimer(ticket_id=ticket, actor=actor(ann)))
    stopped = await twice(StopTimer(ticket_id=ticket, actor=actor(ann)))
    added = await twice(AddTime(ticket_id=ticket, seconds=60, actor=actor(ann)))
    assert await worked(desk, ticket) == [(stopped.time.seconds or 0) + 60]
    assert added.tickets[0].time_worked == (stopped.time.seconds or 0) + 60


async def test_the_time_of_a_reply_and_the_reply_are_one(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk, billable=True)
    both = await reply(desk, ticket, actor(ann).author, 1200)
    time = both.time
    assert time is not None
    assert (time.seconds, time.entry_id, time.billable) == (1200, both.entry.id, True)
    assert time.agent is not None
    assert time.started_at + timedelta(seconds=1200) == both.entry.created_at
    assert both.ticket.time_worked == 1200
    assert (await desk.next(TimeChanged)).time == time
    await add(desk, ticket, actor(ann), 60)
    changed = await change(desk, time, actor(ann), seconds=300)
    assert changed.entry is not None
    assert (changed.entry.time_worked, changed.entry.version) == (300, 2)
    assert await worked(desk, ticket) == [360]
    await desk.next(EntryChanged, where=lambda e: e.entry == changed.entry)
    assert (await change(desk, time, actor(ann), note="x")).entry is None
    removed = await remove(desk, time, actor(ann))
    assert removed.entry is not None
    assert removed.entry.time_worked == 0
    assert await worked(desk, ticket) == [60]
    assert (await reply(desk, ticket, actor(ann).author, 0)).time is None


async def test_a_reply_of_no_agent_keeps_its_time(desk: Desk) -> None:
    ticket = await opened(desk)
    for author in (KEY.author, Author(type="agent", id=99, name="Nobody any more")):
        time = (await reply(desk, ticket, author, 60)).time
        assert time is not None
        assert time.agent is None
    assert await worked(desk, ticket) == [120]


async def test_time_moves_with_a_merge_and_back(desk: Desk) -> None:
    client, other = await desk.client(), await desk.client("Other", "other.test")
    ann, bob = await agent(desk), await agent(desk, "Bob")
    a, b = await opened(desk, client_id=client), await opened(desk, client_id=other)
    of_a = (await add(desk, a, actor(ann), 100)).time
    await reply(desk, a, actor(ann).author, 20)
    await add(desk, b, actor(ann), 3)
    running = (await start(desk, a, actor(bob))).time
    before = await desk.ask(GetTicket(ticket_id=a))

    merged = await desk.ask(MergeTicket(ticket_id=a, into=b, across_clients=True, actor=actor(ann)))
    assert (merged.source.time_worked, merged.target.time_worked) == (0, 123)
    moved = await desk.next(TimeChanged, where=lambda e: e.time.version == 2)
    assert (moved.time.id, moved.time.ticket_id, moved.time.origin_ticket_id) == (of_a.id, b, a)
    assert (moved.time.client and moved.time.client.id, moved.time.reference) == (other, "TCK-2")
    with pytest.raises(Conflict, match="on TCK-2 since"):
        await start(desk, a, actor(bob))
    await backdate(desk, running, 5000)
    assert (await add(desk, a, actor(ann), 7)).time.ticket_id == b  # lands, and stays, there
    assert (await change(desk, of_a, actor(ann), seconds=400)).time.ticket_id == b  # by its source
    stopped = await stop(desk, a, actor(bob))
    assert (stopped.time.id, stopped.time.ticket_id) == (running.id, b)

    apart = await desk.ask(UnmergeTicket(ticket_id=a, actor=actor(ann)))
    counted = 400 + 20 + (stopped.time.seconds or 0)
    assert (apart.source.time_worked, apart.target.time_worked) == (counted, 3 + 7)
    exclude = {"version", "updated_at", "time_worked"}
    assert apart.source.model_dump(exclude=exclude) == before.model_dump(exclude=exclude)
    back = await desk.next(
        TimeChanged, where=lambda e: e.time.id == of_a.id and e.time.version == 4
    )
    assert (back.time.ticket_id, back.time.client and back.time.client.id) == (a, client)


async def test_it_is_told_anew(desk: Desk) -> None:
    ann, ticket = await agent(desk), await opened(desk)
    kept = (await add(desk, ticket, actor(ann))).time
    gone = (await remove(desk, (await add(desk, ticket, actor(ann))).time, actor(ann))).time
    await desk.broker.publish(wrap(ReplayDocuments()))
    await desk.next(TimeChanged, where=lambda e: e == TimeChanged(time=kept))
    await desk.next(TimeChanged, where=lambda e: e == TimeChanged(time=gone))
