"""The wrapper round every handler, on a real PostgreSQL: dedupe, retries, parking, crashes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from deskwire import db
from deskwire.contracts.base import Message
from deskwire.contracts.mail import Body, MailHandled, MailReceived
from deskwire.contracts.notifications import DeliveryChanged
from deskwire.contracts.schedules import CreateSchedule, Schedule
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.db import Database, compiled
from deskwire.errors import DeskwireError, KeyReused, NotFound, SetupError
from deskwire.messaging.broker import Broker, Delivery, connect
from deskwire.messaging.consumer import Consumer, consuming
from deskwire.messaging.envelope import Envelope, wrap
from deskwire.messaging.handling import Handlers
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.messaging.rabbit import depths
from deskwire.messaging.requests import ask
from deskwire.topology import MAIL_INGEST_SVC, SCHEDULER_REQUESTS

SOON = 20.0
TRACE = compiled(
    text("""
    INSERT INTO traces (mail_id, note)
    SELECT * FROM unnest(CAST(:mail_id AS bigint[]), CAST(:note AS text[]))
    """)
)

SAME = compiled(text("SELECT CAST(:number AS integer) AS number"))


def mail(number: int, reason: str = "") -> MailHandled:
    return MailHandled(mail_id=number, outcome="ticket", reason=reason)


def delivered(*messages: MailHandled | Envelope, again: bool = False) -> list[Delivery]:
    wrapped = [m if isinstance(m, Envelope) else wrap(m) for m in messages]
    return [Delivery(envelope, redelivered=again) for envelope in wrapped]


# The real queues with the messages that are handled here.
MAILS = replace(MAIL_INGEST_SVC, messages=(MailHandled,))
REQUESTS = replace(SCHEDULER_REQUESTS, messages=(CreateSchedule,))


class Desk:
    """Handlers whose effect is a row in `traces`, and which fail as they are told."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.fail: dict[int, Exception] = {}
        self.before: Callable[[int, Transaction], Any] | None = None

    async def handle(self, message: MailHandled, tx: Transaction) -> None:
        self.calls.append(message.mail_id)
        tx.append(TRACE, mail_id=message.mail_id, note=message.reason)
        if self.before is not None:
            await self.before(message.mail_id, tx)
        if message.mail_id in self.fail:
            raise self.fail[message.mail_id]

    async def create(self, command: CreateSchedule, tx: Transaction) -> Schedule:
        self.calls.append(1)
        if command.name == "missing":
            raise NotFound("there is no such client", field="client_id")
        if command.name == "broken":
            raise RuntimeError("secret detail")
        tx.append(TRACE, mail_id=len(self.calls), note=command.name)
        values = command.model_dump() | {"id": len(self.calls), "next_run_at": None}
        return Schedule.model_validate(values | {"created_at": "2026-01-01T00:00:00Z"})

    @property
    def handlers(self) -> Handlers:
        return {MailHandled: self.handle}


def command(name: str) -> CreateSchedule:
    return CreateSchedule(
        name=name, cron="0 9 * * *", ticket=OpenTicket(subject="s", body=Body(text="t"))
    )


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
async def broker() -> AsyncIterator[Broker]:
    async with connect(f"memory://{uuid4()}") as broker:
        yield broker


@pytest.fixture
def outbox(database: Database, broker: Broker) -> Outbox:
    return Outbox(database, broker, service="test")


@pytest.fixture
def consumer(desk: Desk, outbox: Outbox) -> Consumer:
    return Consumer(MAILS, desk.handlers, outbox)


async def traces(database: Database) -> list[int]:
    rows = await database.pool.fetch("SELECT mail_id FROM traces ORDER BY id")
    return [row["mail_id"] for row in rows]


async def dead(database: Database) -> list[asyncpg.Record]:
    return await database.pool.fetch("SELECT *, retry_at - now() AS due FROM dead_letters")


async def fast_forward(database: Database) -> None:
    await database.pool.execute(
        "UPDATE dead_letters SET retry_at = now() WHERE retry_at IS NOT NULL"
    )


async def eventually(is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(SOON):
        while not await is_so():
            await asyncio.sleep(0.02)


# --- batches


async def test_a_batch_is_one_transaction(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    await consumer.handle(delivered(mail(1), mail(2), mail(3)))
    rows = await database.pool.fetch("SELECT DISTINCT xmin::text FROM traces")
    inbox = await database.pool.fetch("SELECT DISTINCT xmin::text FROM inbox")
    assert rows == inbox
    assert len(rows) == 1
    assert await traces(database) == [1, 2, 3]


@pytest.fixture
def at_once(desk: Desk, outbox: Outbox) -> Consumer:
    """Handles mails of odd numbers at once."""
    return Consumer(MAILS, desk.handlers, outbox, odd_ones_first)


def odd_ones_first(batch: Sequence[Message]) -> list[list[int]]:
    odd = [isinstance(mail, MailHandled) and mail.mail_id % 2 == 1 for mail in batch]
    others = (place for place, is_odd in enumerate(odd) if not is_odd)
    return [[place for place, is_odd in enumerate(odd) if is_odd], *([place] for place in others)]


async def test_what_may_be_is_handled_at_once_and_the_rest_after_it_in_order(
    at_once: Consumer, desk: Desk, database: Database
) -> None:
    met = asyncio.Barrier(3)

    async def meet(number: int, tx: Transaction) -> None:
        if number % 2:
            async with asyncio.timeout(SOON):
                await met.wait()

    desk.before = meet
    await at_once.handle(delivered(*map(mail, (4, 1, 2, 3, 5))))
    assert set(desk.calls[:3]) == {1, 3, 5}
    assert desk.calls[3:] == [4, 2]
    assert sorted(await traces(database)) == [1, 2, 3, 4, 5]


async def test_what_is_handled_at_once_shares_a_transaction(
    at_once: Consumer, desk: Desk, database: Database
) -> None:
    async def ask(number: int, tx: Transaction) -> None:
        row = await tx.fetch_row(SAME, number=number)
        tx.append(TRACE, mail_id=row["number"], note="asked")

    desk.before = ask
    await at_once.handle(delivered(*map(mail, range(1, 30))))
    rows = await database.pool.fetch("SELECT DISTINCT xmin::text FROM traces")
    assert len(rows) == 1
    assert sorted(await traces(database)) == sorted([*range(1, 30), *range(1, 30)])


async def test_one_of_those_handled_at_once_that_fails_harms_only_itself(
    at_once: Consumer, desk: Desk, database: Database
) -> None:
    ended: list[int] = []

    async def end_later(number: int, tx: Transaction) -> None:
        await tx.fetch_row(SAME, number=number)
        ended.append(number)

    desk.before, desk.fail[3] = end_later, RuntimeError("no")
    await at_once.handle(delivered(*map(mail, (1, 3, 5, 7))))
    assert ended[:4] == [1, 3, 5, 7]  # nobody goes on in a transaction that is over
    assert await traces(database) == [1, 5, 7]
    (row,) = await dead(database)
    assert row["error"] == "RuntimeError: no"


async def test_what_is_emitted_at_once_is_known_to_come_of_its_own_message(
    at_once: Consumer, desk: Desk, database: Database
) -> None:
    async def tell(number: int, tx: Transaction) -> None:
        await tx.fetch_row(SAME, number=number)
        tx.emit(mail(100 + number))

    desk.before = tell
    sent = delivered(*map(mail, (1, 3, 5)))
    await at_once.handle(sent)
    rows = await database.pool.fetch("SELECT aggregate, causation_id FROM outbox")
    caused = {row["aggregate"]: row["causation_id"] for row in rows}
    assert caused == {
        f"mail:{101 + 2 * place}": str(delivery.envelope.id) for place, delivery in enumerate(sent)
    }


async def test_a_bad_message_harms_only_itself(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    desk.fail[2] = RuntimeError("no")
    await consumer.handle(delivered(mail(1), mail(2), mail(3)))
    assert await traces(database) == [1, 3]
    assert desk.calls == [1, 2, 1, 2, 2, 2, 3]
    (row,) = await dead(database)
    assert (row["attempts"], row["error"]) == (1, "RuntimeError: no")


async def test_what_a_handler_appended_fails_with_its_message(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    """The appended rows of a batch are one statement; NUL in one of them refuses it."""
    await consumer.handle(delivered(mail(1), mail(2, "a\0b"), mail(3)))
    assert await traces(database) == [1, 3]
    (row,) = await dead(database)
    assert row["error"].startswith("CharacterNotInRepertoireError")


# --- duplicates and requests


async def test_a_duplicate_is_counted_and_nothing_more(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    labels = {"queue": MAILS.name, "result": "duplicate"}
    before = REGISTRY.get_sample_value("deskwire_messages_total", labels) or 0
    message = wrap(mail(1))
    await consumer.handle(delivered(message, message))
    await consumer.handle(delivered(message))
    assert desk.calls == [1]
    assert await traces(database) == [1]
    assert REGISTRY.get_sample_value("deskwire_messages_total", labels) == before + 2


async def test_the_same_id_again_has_the_stored_reply(
    desk: Desk, database: Database, broker: Broker, outbox: Outbox
) -> None:
    key = uuid4()
    async with requests(desk, broker, outbox):
        first = await ask(broker, command("one"), id=key)
        second = await ask(broker, command("one"), id=key)
        other = await ask(broker, command("one"))
        with pytest.raises(KeyReused):
            await ask(broker, command("two"), id=key)
    assert (first.replayed, second.replayed, other.replayed) == (False, True, False)
    assert first.reply == second.reply != other.reply
    assert len(await traces(database)) == 2


async def test_the_same_id_at_once_has_one_effect(
    desk: Desk, database: Database, broker: Broker, outbox: Outbox
) -> None:
    key = uuid4()
    async with requests(desk, broker, outbox):
        answers = await asyncio.gather(*(ask(broker, command("one"), id=key) for _ in range(60)))
    assert len({answer.reply.id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert len(await traces(database)) == 1


async def test_the_caller_is_told_why_it_was_refused(
    desk: Desk, database: Database, broker: Broker, outbox: Outbox
) -> None:
    key = uuid4()
    async with requests(desk, broker, outbox):
        with pytest.raises(NotFound, match="there is no such client") as caught:
            await ask(broker, command("missing"), id=key)
        assert caught.value.field == "client_id"
        with pytest.raises(NotFound):  # not remembered: it may exist by now
            await ask(broker, command("missing"), id=key)
        desk.calls.clear()
        with pytest.raises(DeskwireError, match="the service failed") as failed:
            await ask(broker, command("broken"))
    assert "secret" not in str(failed.value)
    assert desk.calls == [1]
    assert await dead(database) == []


@asynccontextmanager
async def requests(desk: Desk, broker: Broker, outbox: Outbox) -> AsyncIterator[None]:
    async with consuming({CreateSchedule: desk.create}, [REQUESTS], broker, outbox):
        yield


# --- failures, retries, parking


async def test_refused_messages_are_parked_at_once(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    desk.fail[1] = NotFound("no such mail")
    await consumer.handle(delivered(mail(1)))
    (row,) = await dead(database)
    assert (row["error"], row["retry_at"], row["attempts"]) == ("NotFound: no such mail", None, 1)
    assert desk.calls == [1]


async def test_retries_come_later_and_later_and_then_it_is_parked(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    desk.fail[1] = RuntimeError("still broken")
    await consumer.handle(delivered(mail(1)))
    assert desk.calls == [1, 1, 1]
    for attempts, seconds in ((1, 10), (2, 60), (3, 600)):
        (row,) = await dead(database)
        assert row["attempts"] == attempts
        assert seconds - 5 < row["due"].total_seconds() <= seconds
        await consumer.retry_due()
        assert len(desk.calls) == 2 + attempts  # it is not due
        await fast_forward(database)
        await consumer.retry_due()
    (row,) = await dead(database)
    assert (row["attempts"], row["retry_at"]) == (4, None)
    assert row["error"] == "RuntimeError: still broken"
    await consumer.retry_due()
    assert len(desk.calls) == 6


async def test_a_retry_that_succeeds_leaves_nothing_behind(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    desk.fail[1] = RuntimeError("for now")
    message = wrap(mail(1))
    await consumer.handle(delivered(message))
    desk.fail.clear()
    await fast_forward(database)
    await consumer.retry_due()
    assert await traces(database) == [1]
    assert await dead(database) == []
    await consumer.handle(delivered(message))  # a late duplicate from the broker
    assert await traces(database) == [1]


async def test_a_retry_keeps_correlation_and_trace(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    async def answer(_mail_id: int, tx: Transaction) -> None:
        tx.emit(mail(7))

    desk.fail[1] = RuntimeError("for now")
    desk.before = answer
    message = wrap(mail(1))
    await consumer.handle(delivered(message))
    desk.fail.clear()
    await fast_forward(database)
    await consumer.retry_due()
    (row,) = await database.pool.fetch("SELECT * FROM outbox")
    assert row["correlation_id"] == message.correlation_id
    assert row["causation_id"] == str(message.id)
    assert row["traceparent"][:36] == message.traceparent[:36]
    assert row["traceparent"] != message.traceparent


async def test_the_retry_loop_runs_by_itself_and_drains_a_replay(
    desk: Desk, database: Database, broker: Broker, outbox: Outbox, consumer: Consumer
) -> None:
    desk.fail[1] = NotFound("no such mail")
    await consumer.handle(delivered(mail(1)))
    desk.fail.clear()
    async with consuming(desk.handlers, [MAILS], broker, outbox):
        await database.pool.execute("UPDATE dead_letters SET retry_at = now(), attempts = 0")

        async def is_handled() -> bool:
            return await traces(database) == [1]

        await eventually(is_handled)
    assert await dead(database) == []


async def test_a_message_whose_consumers_die_is_parked(
    consumer: Consumer, desk: Desk, outbox: Outbox, database: Database
) -> None:
    """A process that dies in a handler leaves no trace but the redelivery."""

    class Died(BaseException):
        pass

    async def die(mail_id: int, _tx: Transaction) -> None:
        if mail_id == 1:
            raise Died

    desk.before = die
    lethal, innocent = delivered(mail(1), mail(2), again=True)
    for _ in range(3):
        process = Consumer(MAILS, desk.handlers, outbox)
        again = desk.calls.count(1) > 0
        with pytest.raises(Died):
            await process.handle(
                [Delivery(lethal.envelope, redelivered=again), Delivery(innocent.envelope)]
            )
    assert desk.calls == [1, 1, 1]
    await Consumer(MAILS, desk.handlers, outbox).handle([lethal, innocent])
    assert await traces(database) == [2]
    (row,) = await dead(database)
    assert (row["error"], row["retry_at"]) == ("3 consumers died with it", None)
    desk.before = None
    await database.pool.execute("UPDATE dead_letters SET retry_at = now(), attempts = 0")
    await consumer.retry_due()
    assert await traces(database) == [2, 1]


async def test_a_message_that_kills_its_retries_is_parked_too(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    class Died(BaseException):
        pass

    async def die(_mail_id: int, _tx: Transaction) -> None:
        raise Died

    desk.fail[1] = RuntimeError("first")
    await consumer.handle(delivered(mail(1)))
    desk.before = die
    for _ in range(3):
        await fast_forward(database)
        with pytest.raises(Died):
            await consumer.retry_due()
    await fast_forward(database)
    await consumer.retry_due()
    (row,) = await dead(database)
    assert row["retry_at"] is None
    assert row["error"] == "its consumer died; before that: RuntimeError: first"


async def test_redelivered_messages_that_nobody_died_of_are_handled(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    """A broker restart redelivers everything, and that is no failure of anything."""
    batch = delivered(*(mail(n) for n in range(10)), again=True)
    for _ in range(5):
        await consumer.handle(batch)
    assert await traces(database) == list(range(10))
    assert await dead(database) == []


POISON = [
    ("unreadable bytes", Envelope("mail.handled.v1", b"\xff\xfe\0"), "Unreadable"),
    ("no JSON", Envelope("mail.handled.v1", b"hello"), "Unreadable"),
    ("empty", Envelope("mail.handled.v1", b""), "Unreadable"),
    ("other shape", Envelope("mail.handled.v1", b'{"mail_id": "x"}'), "Unreadable"),
    ("lone surrogate", Envelope("mail.handled.v1", b'{"mail_id": "\\ud800"}'), "Unreadable"),
    ("deep", Envelope("mail.handled.v1", b"[" * 100_000), "Unreadable"),
    ("unknown type", Envelope("mail.eaten.v1", b"{}"), "UnknownMessage"),
    ("unknown version", Envelope("mail.handled.v99", b"{}"), "UnknownMessage"),
    ("no type", Envelope("", b"{}"), "UnknownMessage"),
    ("NUL in the type", Envelope("mail\0", b"{}"), "UnknownMessage"),
    ("surrogate in the type", Envelope("mail\ud800", b"{}"), "UnknownMessage"),
    ("not for this queue", Envelope("mail.received.v1", b"{}"), "Unreadable"),
    (
        "NUL everywhere",
        Envelope("\0", b"\0", uuid4(), "\0", "\0", "\0", "\0"),
        "UnknownMessage",
    ),
]


@pytest.mark.parametrize(("poison", "cause"), [p[1:] for p in POISON], ids=[p[0] for p in POISON])
async def test_poison_is_parked_with_its_cause(
    consumer: Consumer, database: Database, poison: Envelope, cause: str
) -> None:
    await consumer.handle(delivered(mail(1), poison, mail(2)))
    assert await traces(database) == [1, 2]
    (row,) = await dead(database)
    assert row["error"].startswith(f"{cause}: ")
    assert (row["retry_at"], row["body"]) == (None, poison.body)


async def test_a_message_of_another_queue_is_parked(consumer: Consumer, database: Database) -> None:
    stray = MailReceived.model_validate(
        {"mail_id": 1, "mailbox": "m", "received_at": "2026-01-01T00:00:00Z", "body": {"text": ""}}
    )
    await consumer.handle(delivered(wrap(stray)))
    (row,) = await dead(database)
    assert row["error"] == "UnknownMessage: mail-ingest-svc does not take mail.received.v1"


async def test_an_error_that_postgres_cannot_store_is_stored(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    desk.fail[1] = RuntimeError("a\0b\ud800c" + "x" * 10_000)
    await consumer.handle(delivered(mail(1)))
    (row,) = await dead(database)
    assert row["error"].startswith("RuntimeError: ab?cxxx")
    assert len(row["error"]) == 4000


async def test_a_strangers_trace_is_replaced(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    async def answer(_mail_id: int, tx: Transaction) -> None:
        tx.emit(mail(7))

    desk.before = answer
    body = mail(1).model_dump_json().encode()
    await consumer.handle(delivered(Envelope("mail.handled.v1", body, traceparent="nonsense")))
    (row,) = await database.pool.fetch("SELECT traceparent FROM outbox")
    assert len(row["traceparent"]) == 55


@pytest.mark.parametrize(
    "error", [OSError("disk"), TimeoutError("slow"), asyncpg.InterfaceError("3 arguments")]
)
async def test_a_handler_that_fails_elsewhere_does_not_stop_the_queue(
    consumer: Consumer, desk: Desk, database: Database, error: Exception
) -> None:
    """Errors that may also mean that the database is away, while it is not."""
    desk.fail[2] = error
    async with asyncio.timeout(SOON):
        await consumer.handle(delivered(mail(1), mail(2), mail(3)))
    assert await traces(database) == [1, 3]
    (row,) = await dead(database)
    assert row["error"] == f"HandlerFailed: {type(error).__name__}: {error}"


async def test_handlers_and_topology_must_agree(outbox: Outbox, broker: Broker, desk: Desk) -> None:
    tables: list[Handlers] = [{}, {**desk.handlers, DeliveryChanged: desk.handle}]
    for handlers in tables:
        with pytest.raises(SetupError, match=r"topology\.py and the handlers differ in mail\."):
            async with consuming(handlers, [MAILS], broker, outbox):
                pass


# --- the database goes away


async def test_a_connection_that_is_terminated_costs_nothing(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    async def cut_once(mail_id: int, tx: Transaction) -> None:
        if mail_id == 2 and desk.calls.count(2) == 1:
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            await database.pool.execute("SELECT pg_terminate_backend($1)", pid)
            await tx.connection.fetchval("SELECT 1")

    desk.before = cut_once
    batch = delivered(mail(1), mail(2), mail(3))
    with pytest.raises(db.LOST_CONNECTION):
        await consumer.handle(batch)
    await consumer.handle(batch)  # as the feed does
    assert await traces(database) == [1, 2, 3]
    assert await dead(database) == []


async def test_a_database_that_flaps_parks_nobody(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    """A redelivered message is under suspicion; what interrupts it is the database, not a death."""

    async def cut(_mail_id: int, tx: Transaction) -> None:
        if len(desk.calls) < 6:
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            await database.pool.execute("SELECT pg_terminate_backend($1)", pid)
            await tx.connection.fetchval("SELECT 1")

    desk.before = cut
    batch = delivered(mail(1), again=True)
    for _ in range(5):
        with pytest.raises(db.LOST_CONNECTION):
            await consumer.handle(batch)
    await consumer.handle(batch)
    assert await traces(database) == [1]
    assert await dead(database) == []


async def test_batches_wait_while_the_database_is_away(
    gate: Any, desk: Desk, broker: Broker, database: Database
) -> None:
    async with db.connect(gate.url) as behind:
        outbox = Outbox(behind, broker, service="test")
        async with consuming(desk.handlers, [MAILS], broker, outbox):
            await broker.publish(wrap(mail(1)))
            await gate.shut()
            published = [asyncio.create_task(broker.publish(wrap(mail(n)))) for n in range(2, 7)]
            await asyncio.sleep(0.5)
            assert not any(task.done() for task in published)
            await gate.open()
            async with asyncio.timeout(SOON):
                await asyncio.gather(*published)
    assert await traces(database) == [1, 2, 3, 4, 5, 6]
    assert await dead(database) == []


async def test_the_answer_to_a_commit_may_be_lost(
    gate: Any, desk: Desk, broker: Broker, database: Database
) -> None:
    """Committed or not, nobody knows: the same id asked again tells."""
    async with db.connect(gate.url) as behind:
        outbox = Outbox(behind, broker, service="test")
        consumer = Consumer(MAILS, desk.handlers, outbox)
        batch = delivered(*(mail(n) for n in range(5)))
        for delay in range(12):
            work = asyncio.create_task(consumer.handle(batch))
            await asyncio.sleep(delay / 1000)
            await gate.shut()
            with suppress(*db.LOST_CONNECTION):
                await work
            await gate.open()
            batch.extend(delivered(mail(delay + 5)))
        await consumer.handle(batch)
    assert sorted(await traces(database)) == list(range(17))
    assert await dead(database) == []


async def test_cancelled_around_the_commit_it_is_done_once(
    consumer: Consumer, desk: Desk, database: Database
) -> None:
    batch = delivered(*(mail(n) for n in range(5)))
    cancelled = 0
    for step in range(40):
        work = asyncio.create_task(consumer.handle(batch))
        for _ in range(step):
            await asyncio.sleep(0.0003)
        cancelled += work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        batch.extend(delivered(mail(step + 5)))
    assert cancelled
    await consumer.handle(batch)
    assert sorted(await traces(database)) == list(range(45))
    assert await dead(database) == []


# --- on RabbitMQ


async def test_a_raising_handler_leaves_nothing_unacknowledged(
    amqp: str, desk: Desk, database: Database
) -> None:
    desk.fail = {n: RuntimeError("no") for n in (3, 5)} | {4: NotFound("no")}
    async with connect(amqp) as broker:
        outbox = Outbox(database, broker, service="test")
        async with consuming(desk.handlers, [MAILS], broker, outbox):
            for n in range(1, 8):
                await broker.publish(wrap(mail(n)))

            async def all_settled() -> bool:
                return len(await traces(database)) + len(await dead(database)) == 7

            await eventually(all_settled)
        waiting = await depths(amqp)
    assert await traces(database) == [1, 2, 6, 7]
    assert [waiting["mail-ingest-svc"], waiting["mail-ingest-svc.dead"]] == [0, 0]


async def test_request_and_reply_over_rabbitmq(amqp: str, desk: Desk, database: Database) -> None:
    key: UUID = uuid4()
    async with connect(amqp) as broker:
        outbox = Outbox(database, broker, service="test")
        async with requests(desk, broker, outbox):
            first = await ask(broker, command("one"), id=key)
            again = await ask(broker, command("one"), id=key)
            with pytest.raises(KeyReused):
                await ask(broker, command("two"), id=key)
            with pytest.raises(NotFound):
                await ask(broker, command("missing"))
        assert (first.reply, again.replayed) == (again.reply, True)
    assert (await depths(amqp))[REQUESTS.name] == 0
