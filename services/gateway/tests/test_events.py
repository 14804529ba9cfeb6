"""The stream of events: nothing lost, nothing twice, nothing that the key may not see."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from gateway_api import Desk, gateway, ignore
from sse import listening
from test_projector import entry, tell, ticket

from deskwire import db
from deskwire.contracts.actors import Named
from deskwire.contracts.base import Event
from deskwire.contracts.tickets import (
    EntryChanged,
    Ticket,
    TicketChanged,
    TicketNoted,
    TicketReplied,
)
from deskwire.messaging.broker import connect
from deskwire.messaging.envelope import wrap
from deskwire.messaging.housekeeping import tidy
from deskwire.testing import FreshDatabase
from deskwire.topology import TICKET_SVC
from gateway import feed
from gateway.api import events
from gateway.feed import STREAMS_PER_KEY
from gateway.keys import revoke_key
from gateway.projector import TIDY
from gateway.readmodel import changes

THREAD = {"token": "t", "message_id": "<t@example.com>"}


def of_client(client_id: int | None, version: int = 1, *, id: int = 1) -> Ticket:
    client = None if client_id is None else Named(id=client_id, name="C")
    return ticket(version, id=id).model_copy(update={"client": client})


def changed(client_id: int | None, version: int = 1, *, id: int = 1) -> Event:
    return TicketChanged(ticket=of_client(client_id, version, id=id))


def replied(version: int) -> Event:
    given = {"ticket": of_client(5, version), "entry": entry(), "thread": THREAD}
    return TicketReplied.model_validate(given)


def noted(version: int, *, id: int = 1) -> Event:
    internal = entry().model_copy(update={"kind": "internal"})
    return TicketNoted(ticket=of_client(5, version, id=id), entry=internal)


async def test_what_happens_is_told_in_order(lonely_desk: Desk) -> None:
    async with listening(lonely_desk.api) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        await tell(lonely_desk, [changed(5), replied(2), noted(3), EntryChanged(entry=entry(2))])
        told = await stream.take(4)
    assert [(each["type"], each["entry_id"]) for each in told] == [
        ("ticket.changed", None),
        ("ticket.replied", 1),
        ("ticket.noted", 1),
        ("entry.changed", 1),
    ]
    assert told[0]["ticket"]["reference"] == "TCK-1"
    shown = (await lonely_desk.api.get("/api/v1/tickets/1")).json
    assert told[-1]["ticket"] == shown


async def test_a_redelivered_event_is_told_once(lonely_desk: Desk) -> None:
    envelope = wrap(changed(5))
    async with listening(lonely_desk.api) as stream:
        for each in (envelope, envelope, wrap(changed(5, id=2))):
            await lonely_desk.broker.publish(each)
        assert [each["ticket"]["id"] for each in await stream.take(2)] == [1, 2]


async def test_a_stream_goes_on_behind_the_last_event(lonely_desk: Desk) -> None:
    async with listening(lonely_desk.api) as stream:
        beginning = await stream.marked()
        await tell(lonely_desk, [changed(5, id=n) for n in range(1, 4)])
        await stream.take(2)
        second = stream.last_event_id
    await tell(lonely_desk, [changed(5, id=4)])
    for last, expected in ((second, [3, 4]), (beginning, [1, 2, 3, 4])):
        async with listening(lonely_desk.api, last_event_id=last) as stream:
            told = await stream.take(len(expected))
            await tell(lonely_desk, [changed(5, id=9, version=len(expected))])
            told += await stream.take(1)
        assert [each["ticket"]["id"] for each in told] == [*expected, 9]


async def test_nothing_is_lost_or_told_twice_while_writers_commit_out_of_order(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    url = fresh_database("gateway")
    async with (
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),
        gateway(lambda _package=None: url, broker_url) as desk,
        db.connect(url, size=20) as database,
    ):
        await _write_and_read(desk, database)


async def _write_and_read(desk: Desk, database: db.Database) -> None:
    """Readers that go away and come back, beside transactions of all lengths."""
    count = 500
    await database.pool.execute(
        "INSERT INTO tickets (id, number, reference, status, priority, source, created_at,"
        " updated_at, version, doc) VALUES (1, 1, '', '', '', '', now(), now(), 1, '{}')"
    )

    async def write(number: int) -> None:
        async with database.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "INSERT INTO changes (type, ticket_id, entry_id, internal)"
                " VALUES ('ticket.replied', 1, $1, false)",
                number,
            )
            await asyncio.sleep(random.choice((0, 0, 0.01, 0.3)))

    async def read(start: str) -> list[int]:
        heard: list[int] = []
        last = start
        while len(heard) < count:
            async with listening(desk.api, last_event_id=last) as stream:
                told = await stream.take(min(random.randint(1, 40), count - len(heard)))
                heard += [each["entry_id"] for each in told]
                last = stream.last_event_id
        return heard

    async with listening(desk.api) as stream:
        start = await stream.marked()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        readers = [group.create_task(read(start)) for _ in range(3)]
        for number in range(count):
            group.create_task(write(number))
    first, *others = [reader.result() for reader in readers]
    assert sorted(first) == list(range(count))
    assert first != sorted(first)  # they did commit in another order
    assert all(other == first for other in others)


async def test_what_an_older_transaction_keeps_back_is_not_skipped(lonely_desk: Desk) -> None:
    await tell(lonely_desk, [changed(5, id=n) for n in (1, 2)])
    sql = "INSERT INTO changes (type, ticket_id, internal) VALUES ('x', $1, false)"
    async with listening(lonely_desk.api) as stream:
        await stream.marked()
        async with lonely_desk.database.transaction() as older:
            await older.connection.execute(sql, 1)
            await tell(lonely_desk, [changed(5, 2, id=2)])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await stream.next()
        told = await stream.take(2)
    assert [each["ticket"]["id"] for each in told] == [1, 2]


async def test_a_bound_key_hears_of_its_client_alone(lonely_desk: Desk) -> None:
    bound = await lonely_desk.key("tickets:read", client_id=5)
    async with listening(bound) as stream:
        start = await stream.marked()
        await tell(lonely_desk, [changed(6, id=2), changed(None, id=3), noted(1), replied(2)])
        live = await stream.take(1)
    async with listening(bound, last_event_id=start) as stream:
        missed = await stream.take(1)
        await tell(lonely_desk, [changed(6, 3), EntryChanged(entry=entry(3)), changed(5, id=4)])
        moved = await stream.take(1)
    assert [each["type"] for each in live + missed] == ["ticket.replied"] * 2
    told = [
        (each["ticket"]["entry_count"], each["ticket"]["time_worked"]) for each in live + missed
    ]
    assert told == [(0, 0)] * 2, "its only entry is a note, of which it is not told"
    assert [each["ticket"]["id"] for each in moved] == [4]  # of 1, which moved away, nothing
    async with listening(bound, last_event_id=start) as stream:
        assert [each["ticket"]["id"] for each in await stream.take(1)] == [4]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?client_id=5", [1, 2]),
        ("?client_id=5,6&ticket_id=2,3", [2, 3]),
        ("?ticket_id=3&ticket_id=1", [1, 3]),
    ],
)
async def test_only_what_the_query_names_is_told(
    lonely_desk: Desk, query: str, expected: list[int]
) -> None:
    given = [changed(5, id=1), changed(5, id=2), changed(6, id=3)]
    async with listening(lonely_desk.api, query) as stream:
        start = await stream.marked()
        await tell(lonely_desk, given)
        assert [each["ticket"]["id"] for each in await stream.take(len(expected))] == expected
    async with listening(lonely_desk.api, query, start) as stream:
        assert [each["ticket"]["id"] for each in await stream.take(len(expected))] == expected


@pytest.mark.parametrize("last", ["x", "1", "1-", "-1-1", "1-1-1", "9" * 30 + "-1", "1_0-1"])
async def test_an_id_that_is_not_ours_is_refused(lonely_desk: Desk, last: str) -> None:
    answer = await lonely_desk.api.get("/api/v1/events", Last_Event_ID=last)
    assert (answer.status, answer.json["code"]) == (400, "malformed")


@pytest.mark.parametrize("query", ["?x=1", "?client_id=x", "?ticket_id=0"])
async def test_a_query_that_is_not_ours_is_refused(lonely_desk: Desk, query: str) -> None:
    assert (await lonely_desk.api.get(f"/api/v1/events{query}")).status == 422


async def test_what_is_kept_no_longer_is_told_of(lonely_desk: Desk) -> None:
    async with listening(lonely_desk.api) as stream:
        before = await stream.marked()
    await tell(lonely_desk, [changed(5, id=n) for n in (1, 2, 3)])
    execute = lonely_desk.database.pool.execute
    await execute("UPDATE changes SET at = now() - interval '25 hours' WHERE ticket_id < 3")
    await tidy(lonely_desk.database, TIDY)
    left = await lonely_desk.database.pool.fetch("SELECT * FROM changes ORDER BY xid, id")
    assert [row["ticket_id"] for row in left] == [2, 3]  # one of the old shows that others went
    for last, told_of in ((before, "reset"), ("99999999999-1", "reset")):
        async with listening(lonely_desk.api, last_event_id=last) as stream:
            assert (await stream.take(1))[0] == {"type": told_of, "ticket": None, "entry_id": None}
            await tell(lonely_desk, [changed(5, 9, id=len(last))])
            assert (await stream.take(1))[0]["ticket"]["id"] == len(last)
    old = f"{left[0]['xid']}-{left[0]['id']}"
    async with listening(lonely_desk.api, last_event_id=old) as stream:
        assert (await stream.take(1))[0]["ticket"]["id"] == 3


async def test_rows_of_another_server_are_not_read_and_go(lonely_desk: Desk) -> None:
    """As after a dump was restored into a server that has counted fewer transactions."""
    await lonely_desk.database.pool.execute(
        "INSERT INTO changes (xid, type, ticket_id, internal) VALUES (99999999999, 'x', 1, false)"
    )
    async with listening(lonely_desk.api) as stream:
        await stream.marked()
        await tell(lonely_desk, [changed(5)])
        assert (await stream.take(1))[0]["type"] == "ticket.changed"
    await tidy(lonely_desk.database, TIDY)
    count = await lonely_desk.database.pool.fetchval("SELECT count(*) FROM changes")
    assert count == 1


async def test_a_stream_ends_with_its_key(
    lonely_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "CHECK_SECONDS", 0.1)
    key = await lonely_desk.key("tickets:read")
    async with listening(key) as stream:
        await stream.marked()
        await revoke_key(lonely_desk.database, int(key.key.split("_")[1]))
        async with asyncio.timeout(10):
            assert await stream.next() is None
    assert (await key.get("/api/v1/events")).status == 401
    assert (await (await lonely_desk.key("clients:read")).get("/api/v1/events")).status == 403


async def test_heartbeats_move_the_place(
    lonely_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    async with listening(lonely_desk.api, "?client_id=77") as stream:
        before = changes.Place.parse(await stream.marked())
        await tell(lonely_desk, [changed(5)])
        async with asyncio.timeout(10):
            while not stream.comments:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await stream.next()
        after = changes.Place.parse(stream.last_event_id)
    assert before is not None
    assert after is not None
    assert after > before


async def test_a_slow_listener_is_cut_off_and_loses_nothing(
    lonely_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "KEPT_CHANGES", 10)
    monkeypatch.setattr(events, "SEND_SECONDS", 5.0)
    await tell(lonely_desk, [TicketChanged(ticket=ticket(subject="s" * 60_000))])
    count = 500
    async with listening(lonely_desk.api, limit=2**16) as slow:
        start = await slow.marked()
        sql = (
            "INSERT INTO changes (type, ticket_id, entry_id, internal)"
            " SELECT 'ticket.replied', 1, n, false FROM generate_series(1, $1) n"
        )
        await lonely_desk.database.pool.execute(sql, count)
        await asyncio.sleep(2)
        heard = []
        async with asyncio.timeout(20):
            while (told := await slow.next()) is not None:
                heard.append(told["entry_id"])
        assert len(heard) < count
        assert any("too slow" in comment for comment in slow.comments)
        last = slow.last_event_id
    assert last != start or not heard
    async with listening(lonely_desk.api, last_event_id=last) as stream:
        heard += [each["entry_id"] for each in await stream.take(count - len(heard))]
    assert heard == list(range(1, count + 1))


async def test_streams_of_one_key_are_limited(lonely_desk: Desk) -> None:
    key = await lonely_desk.key("tickets:read")
    async with AsyncExitStack() as stack:
        for _ in range(STREAMS_PER_KEY):
            stream = await stack.enter_async_context(listening(key))
            await stream.marked()
        refused = await key.get("/api/v1/events")
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "3"
        async with listening(lonely_desk.api) as other:
            assert other.status == 200
    async with asyncio.timeout(10):
        while True:
            async with listening(key) as again:
                if again.status == 200:
                    break


async def test_open_streams_do_not_hold_up_the_end(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    async with (
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),
        gateway(fresh_database, broker_url) as desk,
    ):
        stream_opened = listening(desk.api)
        stream = await stream_opened.__aenter__()
        await stream.marked()
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 2
    async with asyncio.timeout(1):
        assert await stream.next() is None
    await stream_opened.__aexit__(None, None, None)


@pytest.fixture
async def two_desks(
    fresh_database: FreshDatabase, broker_url: str
) -> AsyncIterator[tuple[Desk, Desk]]:
    url = fresh_database("gateway")
    async with (
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),
        gateway(lambda _package=None: url, broker_url) as one,
        gateway(lambda _package=None: url, broker_url) as other,
    ):
        yield one, other


async def test_two_gateways_tell_the_same_on_one_database(two_desks: tuple[Desk, Desk]) -> None:
    one, other = two_desks
    async with listening(one.api) as first, listening(other.api.using(one.api.key)) as second:
        await first.marked()
        await second.marked()
        await tell(one, [changed(5, id=n) for n in range(1, 41)])
        told: list[list[Any]] = [await stream.take(40) for stream in (first, second)]
    ids = [[each["ticket"]["id"] for each in heard] for heard in told]
    assert sorted(ids[0]) == list(range(1, 41))
    assert ids[0] == ids[1]
