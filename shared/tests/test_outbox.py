"""Neither ghost nor zombie: what is committed is published, in order, and nothing else is."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from deskwire.contracts.mail import MailHandled
from deskwire.contracts.replay import ReplayDocuments
from deskwire.db import Database
from deskwire.errors import Unavailable, Unroutable
from deskwire.messaging import outbox as relay
from deskwire.messaging.broker import Delivery, connect
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.memory import MemoryBroker
from deskwire.messaging.outbox import BATCH, Outbox
from deskwire.topology import MAIL_INGEST_SVC

SOON = 20.0


class Spy(MemoryBroker):
    """A broker that remembers what it was given, and refuses or holds what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Envelope] = []
        self.refuse: Callable[[Envelope], Exception | None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, envelope: Envelope) -> None:
        await asyncio.sleep(0)
        await self.gate.wait()
        if (error := self.refuse(envelope)) is not None:
            raise error
        self.published.append(envelope)

    def reasons(self, mail_id: int) -> list[str]:
        return [m.reason for m in map(handled, self.published) if m.mail_id == mail_id]


def handled(envelope: Envelope) -> MailHandled:
    message = envelope.message
    assert isinstance(message, MailHandled)
    return message


def mail(number: int, reason: object = "") -> MailHandled:
    return MailHandled(mail_id=number, outcome="ticket", reason=str(reason))


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
def outbox(database: Database, spy: Spy) -> Outbox:
    return Outbox(database, spy, service="test", poll=0.2)


async def emit(outbox: Outbox, messages: Sequence[MailHandled]) -> None:
    async with outbox.transaction() as tx:
        for message in messages:
            tx.emit(message)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not is_so():
            await asyncio.sleep(0.01)


async def pending(database: Database) -> int:
    count = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    return int(await database.pool.fetchval(count))


async def waits(database: Database, count: int) -> None:
    """Until so many are not published: they are when the claim is committed, not before."""
    async with asyncio.timeout(SOON):
        while await pending(database) != count:
            await asyncio.sleep(0.01)


async def test_what_is_committed_is_published_with_its_id(outbox: Outbox, spy: Spy) -> None:
    async with outbox.relaying():
        async with outbox.transaction() as tx:
            tx.emit(mail(1))
            (emitted,) = tx.outgoing
            await asyncio.sleep(0.3)
            assert spy.published == []
        await until(lambda: len(spy.published) == 1)
    assert spy.published == [emitted]


async def test_a_rollback_publishes_nothing(outbox: Outbox, spy: Spy, database: Database) -> None:
    async with outbox.relaying():
        with suppress(LookupError):
            async with outbox.transaction() as tx:
                tx.emit(mail(1))
                raise LookupError
        await emit(outbox, [mail(2)])
        await until(lambda: len(spy.published) == 1)
    assert [handled(e).mail_id for e in spy.published] == [2]
    assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_a_commit_wakes_the_relay(database: Database, spy: Spy) -> None:
    lazy = Outbox(database, spy, service="test", poll=60)
    async with lazy.relaying():
        await asyncio.sleep(0.1)
        await emit(lazy, [mail(1)])
        await until(lambda: len(spy.published) == 1)


async def test_the_poll_finds_what_another_process_committed(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    async with outbox.relaying():
        await asyncio.sleep(0.1)
        await emit(Outbox(database, spy, service="other"), [mail(1)])
        await until(lambda: len(spy.published) == 1)


async def test_ids_that_commit_out_of_order_are_not_skipped(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    async with outbox.relaying():
        async with outbox.transaction() as tx:
            tx.emit(mail(1))
            await tx.connection.execute("SELECT nextval(pg_get_serial_sequence('outbox', 'id'))")
            await tx.flush()
            await tx.execute(relay.WRITE, **relay.outbox_columns(tx.outgoing))
            tx.outgoing.clear()  # its id is taken, and it is not committed yet
            await emit(outbox, [mail(2)])
            await until(lambda: len(spy.published) == 1)
        await until(lambda: len(spy.published) == 2)
    assert [handled(e).mail_id for e in spy.published] == [2, 1]


async def test_two_relays_keep_the_order_of_each_aggregate(database: Database, spy: Spy) -> None:
    """More than a claim's worth, in many small transactions, while both are at work."""
    other = Spy()
    other.published = spy.published
    one, two = (Outbox(database, s, service="test", poll=0.05) for s in (spy, other))
    async with one.relaying(), two.relaying():
        for n in range(60):
            await emit((one, two)[n % 2], [mail(m, n) for m in range(10)])
        await until(lambda: len(spy.published) >= 600)
    assert len({e.id for e in spy.published}) == len(spy.published) == 600
    for m in range(10):
        assert spy.reasons(m) == [str(n) for n in range(60)]
    assert await pending(database) == 0


async def test_a_killed_relay_publishes_again_with_the_same_id(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    """Between the broker's confirm and the commit."""
    await emit(outbox, [mail(1, "a"), mail(2, "b")])
    spy.refuse = lambda envelope: None if handled(envelope).mail_id == 1 else stop()

    def stop() -> None:
        raise asyncio.CancelledError

    work = asyncio.create_task(outbox.relay_once())
    with suppress(asyncio.CancelledError):
        await work
    assert await pending(database) == 2
    spy.refuse = lambda _: None
    assert await Outbox(database, spy, service="test").relay_once() == (2, 0)
    again = [e.id for e in spy.published if handled(e).mail_id == 1]
    assert len(again) == 2
    assert len(set(again)) == 1


@pytest.mark.parametrize(
    "error", [Unavailable("nacked"), Unroutable(), ValueError("a bug"), OSError("gone")]
)
async def test_what_the_broker_refuses_holds_up_only_its_aggregate(
    outbox: Outbox, spy: Spy, database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(relay, "HOLD_SECONDS", 0.3)
    spy.refuse = lambda envelope: error if handled(envelope).reason == "2" else None
    numbers = list(range(5))
    async with outbox.relaying():
        await emit(outbox, [mail(m, n) for n in numbers for m in (1, 2)])
        await until(lambda: len(spy.published) == 4)
        await emit(outbox, [mail(3, "0"), mail(1, "5")])
        await until(lambda: len(spy.published) == 5)
        spy.refuse = lambda _: None
        await until(lambda: len(spy.published) == 12)
    assert spy.reasons(1) == ["0", "1", "2", "3", "4", "5"]
    assert spy.reasons(2) == ["0", "1", "2", "3", "4"]
    assert await pending(database) == 0


async def test_others_pass_by_more_refused_messages_than_a_claim_holds(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    spy.refuse = lambda envelope: Unroutable() if handled(envelope).mail_id < 0 else None
    await emit(outbox, [mail(-n) for n in range(1, 2 * BATCH + 2)])
    async with outbox.relaying():
        await emit(outbox, [mail(1)])
        await until(lambda: len(spy.published) == 1)
        await waits(database, 2 * BATCH + 1)


async def test_messages_without_an_aggregate_hold_up_only_their_type(
    outbox: Outbox, spy: Spy
) -> None:
    spy.refuse = lambda envelope: Unroutable() if envelope.type == "mail.handled.v1" else None
    async with outbox.transaction() as tx:
        tx.emit(mail(1))
        tx.outgoing[0] = Envelope("mail.handled.v1", tx.outgoing[0].body)
        tx.emit(ReplayDocuments())
    assert await outbox.relay_once() == (2, 1)
    assert [e.type for e in spy.published] == ["documents.replay.v1"]


async def test_a_backlog_drains_when_the_broker_is_back(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    spy.connected = False
    async with outbox.relaying():
        for n in range(5):
            await emit(outbox, [mail(m, n) for m in range(BATCH // 2)])
        assert spy.published == []
        spy.connected = True
        await until(lambda: len(spy.published) == 5 * BATCH // 2)
        await waits(database, 0)
    assert spy.reasons(7) == ["0", "1", "2", "3", "4"]


async def test_no_trouble_ends_the_relay(
    outbox: Outbox, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """asyncpg says so when a connection ends between two of its own steps."""
    troubles: list[Exception] = [IndexError(), asyncpg.InternalClientError("cannot switch")]
    relay_once = outbox.relay_once

    async def stumbling() -> tuple[int, int]:
        if troubles:
            raise troubles.pop()
        return await relay_once()

    monkeypatch.setattr(outbox, "relay_once", stumbling)
    async with outbox.relaying():
        await emit(outbox, [mail(1)])
        await until(lambda: len(spy.published) == 1)


async def test_the_relay_outlives_the_database(gate: Any, database: Database, spy: Spy) -> None:
    from deskwire import db

    async with db.connect(gate.url) as behind:
        outbox = Outbox(behind, spy, service="test", poll=0.1)
        async with outbox.relaying():
            await emit(outbox, [mail(1)])
            await until(lambda: bool(spy.published))
            await gate.shut()
            await emit(Outbox(database, spy, service="test"), [mail(2)])
            await asyncio.sleep(0.5)
            await gate.open()
            # The first once more where the database went away before its commit.
            await until(lambda: handled(spy.published[-1]).mail_id == 2)


async def test_published_events_can_be_published_again(
    outbox: Outbox, spy: Spy, database: Database
) -> None:
    async with outbox.relaying():
        await emit(outbox, [mail(1), mail(2)])
        await until(lambda: len(spy.published) == 2)
        await database.pool.execute("UPDATE outbox SET published_at = NULL")
        await until(lambda: len(spy.published) == 4)
    assert {e.id for e in spy.published[:2]} == {e.id for e in spy.published[2:]}


async def test_the_consumer_sees_each_event_once_over_rabbitmq(
    amqp: str, database: Database
) -> None:
    """Order per aggregate from the commit to the handler, and a rate that is not absurd."""
    seen: list[Delivery] = []

    async def take(batch: Sequence[Delivery]) -> None:
        seen.extend(batch)

    async with connect(amqp) as broker, broker.consume(MAIL_INGEST_SVC, take):
        outbox = Outbox(database, broker, service="test")
        async with outbox.relaying():
            started = time.monotonic()
            for n in range(10):
                await emit(outbox, [mail(m, n) for m in range(100)])
            await until(lambda: len(seen) >= 1000)
            assert time.monotonic() - started < SOON / 2
    messages = [handled(d.envelope) for d in seen]
    assert len({d.envelope.id for d in seen}) == len(seen) == 1000
    for m in range(100):
        assert [x.reason for x in messages if x.mail_id == m] == [str(n) for n in range(10)]
