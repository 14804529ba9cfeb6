"""What every transport promises, as one suite; then what only a real broker can do to us."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from pamqp.commands import Basic

from deskwire.contracts.mail import MailHandled
from deskwire.db import Database
from deskwire.errors import SetupError, Unavailable, Unroutable
from deskwire.local import RabbitMQ
from deskwire.messaging import memory
from deskwire.messaging.broker import BATCH, Broker, Delivery, connect
from deskwire.messaging.consumer import consuming
from deskwire.messaging.envelope import Envelope, wrap
from deskwire.messaging.outbox import Outbox
from deskwire.messaging.rabbit import apply_topology, check_topology, depths
from deskwire.messaging.rabbit import broker as rabbit_broker
from deskwire.messaging.rabbit.session import open_channel
from deskwire.service import until_signalled
from deskwire.topology import GATEWAY, MAIL_INGEST_SVC, QUEUES, SCHEDULER_REQUESTS, Queue

REQUEST = "schedule.create.v1"
SOON = 20.0
SETTLED = 3.0
"""RabbitMQ 3.10 may forget a quorum queue's log when it is killed just after its declaration."""

WATERMARK = ("set_vm_memory_high_watermark",)


def mail(number: int) -> Envelope:
    return wrap(MailHandled(mail_id=number, outcome="ticket"))


def numbers(deliveries: Iterable[Delivery]) -> list[int]:
    return [int(d.envelope.aggregate.partition(":")[2]) for d in deliveries]


class Taker:
    """A handler that remembers what it was given and can be held up in the middle of a batch."""

    def __init__(self, *, held: bool = False, fails: int = 0) -> None:
        self.begun: list[Delivery] = []
        self.finished: list[Delivery] = []
        self.release = asyncio.Event()
        self._fails = fails
        self._changed = asyncio.Event()
        if not held:
            self.release.set()

    async def __call__(self, batch: Sequence[Delivery]) -> None:
        assert 1 <= len(batch) <= BATCH
        self._add(self.begun, batch)
        await self.release.wait()
        if self._fails:
            self._fails -= 1
            raise RuntimeError("the database is away")
        self._add(self.finished, batch)

    def _add(self, to: list[Delivery], batch: Sequence[Delivery]) -> None:
        to.extend(batch)
        self._changed.set()

    async def until(self, count: int, *, of: str = "finished") -> None:
        async with asyncio.timeout(SOON):
            while len(getattr(self, of)) < count:
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def publishing(broker: Broker, messages: Iterable[Envelope]) -> AsyncIterator[None]:
    """Published in this order and all confirmed at the end; memory:// confirms what was handled."""
    async with asyncio.TaskGroup() as group:
        for message in messages:
            group.create_task(broker.publish(message))
        yield


@pytest.fixture(params=["memory", "amqp"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return f"memory://{uuid4()}"
    return str(request.getfixturevalue("amqp"))


@pytest.fixture
async def broker(url: str) -> AsyncIterator[Broker]:
    async with connect(url, name="test") as broker:
        yield broker


# --- every transport


async def test_a_message_arrives_as_it_was_sent(broker: Broker) -> None:
    sent = Envelope("mail.handled.v1", b'{"\xc3\xa4": 1}', uuid4(), "mail:1", "c", "d", "00-e")
    taker = Taker()
    async with broker.consume(MAIL_INGEST_SVC, taker), publishing(broker, [sent]):
        await taker.until(1)
    (delivery,) = taker.finished
    assert delivery.envelope == sent
    assert not delivery.redelivered
    assert delivery.reply is None


async def test_every_queue_that_listens_gets_the_message(broker: Broker) -> None:
    one, other = Taker(), Taker()
    sent = Envelope("ticket.opened.v1", b"{}", aggregate="ticket:1")
    queues = [queue for queue in QUEUES if queue.name in ("gateway", "notify-svc")]
    async with (
        broker.consume(queues[0], one),
        broker.consume(queues[1], other),
        publishing(broker, [sent]),
    ):
        await one.until(1)
        await other.until(1)
    assert one.finished[0].envelope == other.finished[0].envelope == sent


async def test_a_message_that_no_queue_takes_is_refused(broker: Broker) -> None:
    with pytest.raises(Unroutable, match=r"no queue takes schedule\.create\.v1"):
        await broker.publish(Envelope(REQUEST, b"{}"))
    taker = Taker()  # and it harms nothing else
    async with broker.consume(MAIL_INGEST_SVC, taker), publishing(broker, [mail(1)]):
        await taker.until(1)


async def test_messages_come_in_order_and_in_batches(broker: Broker) -> None:
    taker = Taker(held=True)
    async with (
        broker.consume(MAIL_INGEST_SVC, taker),
        publishing(broker, [mail(n) for n in range(3 * BATCH)]),
    ):
        await taker.until(1, of="begun")
        taker.release.set()
        await taker.until(3 * BATCH)
    assert numbers(taker.finished) == list(range(3 * BATCH))


async def test_a_batch_that_fails_is_handed_over_again(broker: Broker) -> None:
    taker = Taker(fails=2)
    async with (
        broker.consume(MAIL_INGEST_SVC, taker),
        publishing(broker, [mail(n) for n in range(5)]),
    ):
        await taker.until(5)
    assert numbers(taker.finished) == list(range(5))
    assert len(taker.begun) > len(taker.finished)


async def test_leaving_finishes_the_batch_in_work_and_takes_no_new_one(broker: Broker) -> None:
    first, second = Taker(held=True), Taker()
    total = 3 * BATCH
    async with publishing(broker, [mail(n) for n in range(total)]):
        async with broker.consume(MAIL_INGEST_SVC, first):
            await first.until(1, of="begun")
            asyncio.get_running_loop().call_later(0.3, first.release.set)
        assert numbers(first.finished) == numbers(first.begun)
        assert len(first.finished) <= BATCH
        async with broker.consume(MAIL_INGEST_SVC, second):
            await second.until(total - len(first.finished))
    both = numbers(first.finished + second.finished)
    assert sorted(both) == list(range(total))  # RabbitMQ may return what waited out of order


async def test_what_is_not_finished_in_time_is_delivered_again(broker: Broker) -> None:
    first, second = Taker(held=True), Taker()
    async with publishing(broker, [mail(n) for n in range(3)]):
        async with broker.consume(MAIL_INGEST_SVC, first, drain=0.1):
            await first.until(1, of="begun")
        assert not first.finished
        async with broker.consume(MAIL_INGEST_SVC, second):
            await second.until(3)
    assert numbers(second.finished) == [0, 1, 2]
    again = [d.redelivered for d in second.finished[: len(first.begun)]]
    assert again == [True] * len(first.begun)


async def test_sigterm_drains(broker: Broker) -> None:
    taker = Taker(held=True)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with broker.consume(MAIL_INGEST_SVC, taker):
            yield

    async with publishing(broker, [mail(1)]):
        service = asyncio.create_task(until_signalled("test", running()))
        await taker.until(1, of="begun")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.1)
        assert not service.done()
        taker.release.set()
        async with asyncio.timeout(SOON):
            await service
    assert numbers(taker.finished) == [1]
    after = Taker()
    async with broker.consume(MAIL_INGEST_SVC, after), publishing(broker, [mail(2)]):
        await after.until(1)
    assert numbers(after.finished) == [2]


async def test_a_request_is_answered(broker: Broker) -> None:
    async def shout(batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            assert delivery.reply is not None
            await delivery.reply(delivery.envelope.body.upper())

    message_id = uuid4()  # two callers may ask with the same id at once
    async with broker.consume(SCHEDULER_REQUESTS, shout):
        calls = [Envelope(REQUEST, b"%d abc" % n, message_id) for n in range(70)]
        answers = await asyncio.gather(*(broker.request(call, timeout=SOON) for call in calls))
    assert answers == [b"%d ABC" % n for n in range(70)]


async def test_a_large_request_and_answer(broker: Broker) -> None:
    async def echo(batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            assert delivery.reply is not None
            await delivery.reply(delivery.envelope.body)

    async with broker.consume(SCHEDULER_REQUESTS, echo):
        body = os.urandom(256 * 1024)
        assert await broker.request(Envelope(REQUEST, body), timeout=SOON) == body
        assert await broker.request(Envelope(REQUEST, b""), timeout=SOON) == b""


async def test_a_request_ends_at_its_deadline_and_is_not_handled_after_it(broker: Broker) -> None:
    started = time.monotonic()
    with pytest.raises(Unavailable, match=r"schedule\.create\.v1"):
        await broker.request(Envelope(REQUEST, b"late"), timeout=0.3)
    assert 0.25 < time.monotonic() - started < 2
    taker = Taker()
    async with broker.consume(SCHEDULER_REQUESTS, taker):
        call = asyncio.create_task(broker.request(Envelope(REQUEST, b"now"), timeout=1))
        await taker.until(1)
        with pytest.raises(Unavailable):
            await call
    assert [d.envelope.body for d in taker.finished] == [b"now"]


async def test_a_request_that_its_consumer_dropped_expires_too(broker: Broker) -> None:
    first, second = Taker(held=True), Taker()
    call = asyncio.create_task(broker.request(Envelope(REQUEST, b"x"), timeout=0.5))
    async with broker.consume(SCHEDULER_REQUESTS, first, drain=0):
        await first.until(1, of="begun")
    with pytest.raises(Unavailable):
        await call
    async with broker.consume(SCHEDULER_REQUESTS, second):
        with pytest.raises(Unavailable):
            await broker.request(Envelope(REQUEST, b"y"), timeout=0.5)
    assert [d.envelope.body for d in second.finished] == [b"y"]


async def test_poison_is_parked_with_its_cause(broker: Broker, database: Database) -> None:
    handled = asyncio.Event()

    async def handle(message: MailHandled, _tx: object) -> None:
        if message.mail_id == 2:
            handled.set()

    outbox = Outbox(database, broker, service="test")
    queue = replace(MAIL_INGEST_SVC, messages=(MailHandled,))
    poison = Envelope("mail.handled.v1", b"\xff\0 no json", aggregate="mail:1")
    async with (
        consuming({MailHandled: handle}, [queue], broker, outbox),
        publishing(broker, [poison, mail(2)]),
        asyncio.timeout(SOON),
    ):
        await handled.wait()
    (parked,) = await database.pool.fetch("SELECT * FROM dead_letters")
    assert parked["error"].startswith("Unreadable: mail.handled.v1")
    assert parked["body"] == poison.body
    assert parked["retry_at"] is None


# --- memory alone


async def test_memory_confirms_what_was_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = Taker(held=True)
    async with connect(f"memory://{uuid4()}") as broker, broker.consume(MAIL_INGEST_SVC, taker):
        published = asyncio.create_task(broker.publish(mail(1)))
        await taker.until(1, of="begun")
        assert not published.done()
        taker.release.set()
        await published
        taker.release.clear()
        monkeypatch.setattr(memory, "PUBLISH_SECONDS", 0.05)
        again = mail(2)
        for _ in range(2):  # published anew while it still waits, it is the same message
            with pytest.raises(Unavailable, match="was not handled"):
                await broker.publish(again)
        taker.release.set()
        await taker.until(2)
    assert numbers(taker.begun) == [1, 2]


async def test_services_of_one_process_share_a_memory_broker_by_its_url() -> None:
    url, taker = f"memory://{uuid4()}", Taker()
    async with connect(url) as one, connect(url) as other, connect(f"{url}-") as stranger:
        assert one is other
        assert one is not stranger
        async with one.consume(MAIL_INGEST_SVC, taker):
            await other.publish(mail(1))


# --- RabbitMQ alone


@pytest.fixture
def rabbit(rabbitmq_server: Any) -> RabbitMQ:
    if not isinstance(rabbitmq_server, RabbitMQ):
        pytest.skip("only a broker of our own may be killed")
    return rabbitmq_server


@asynccontextmanager
async def down(rabbit: RabbitMQ) -> AsyncIterator[None]:
    """As by a power cut."""
    rabbit.kill()
    try:
        yield
    finally:
        await asyncio.to_thread(rabbit.start)


@asynccontextmanager
async def paused(rabbit: RabbitMQ) -> AsyncIterator[None]:
    rabbit.pause()
    try:
        yield
    finally:
        rabbit.resume()


async def waiting(url: str, queue: Queue) -> int:
    return (await depths(url))[queue.name]


async def test_after_a_power_cut_nothing_confirmed_is_lost_and_everybody_comes_back(
    rabbit: RabbitMQ, amqp: str
) -> None:
    taker, requests, after = Taker(), Taker(), Taker()
    async with (
        connect(amqp) as broker,
        broker.consume(MAIL_INGEST_SVC, taker),
        broker.consume(SCHEDULER_REQUESTS, requests),
    ):
        await asyncio.sleep(SETTLED)
        kept = [Envelope("ticket.noted.v1", b"%d" % n) for n in range(100)]
        async with publishing(broker, kept):
            pass
        async with down(rabbit):
            with pytest.raises(Unavailable):  # at once or at its deadline, but never silently
                await broker.publish(mail(1))
            assert await eventually(lambda: not broker.connected)
        assert await eventually(lambda: broker.connected)
        await broker.publish(mail(2))
        await taker.until(1)
        with pytest.raises(Unavailable):
            await broker.request(Envelope(REQUEST, b"x"), timeout=3)
        await requests.until(1)
        async with broker.consume(GATEWAY, after):
            await after.until(100)
    assert [d.envelope.body for d in after.finished] == [e.body for e in kept]
    assert numbers(taker.finished) == [2]


async def test_a_cut_connection_returns_the_batch_and_then_the_consumer(
    rabbit: RabbitMQ, amqp: str
) -> None:
    taker = Taker(held=True)
    async with connect(amqp) as broker, broker.consume(MAIL_INGEST_SVC, taker):
        async with publishing(broker, [mail(n) for n in range(3)]):
            await taker.until(1, of="begun")
        vhost = amqp.rpartition("/")[2]
        await asyncio.to_thread(rabbit.ctl, "close_all_connections", "--vhost", vhost, "test")
        async with asyncio.timeout(SOON):
            while await waiting(amqp, MAIL_INGEST_SVC) < 3:
                await asyncio.sleep(0.05)
        taker.release.set()  # it finishes what nobody will take as acknowledged
        assert await eventually(lambda: len(taker.finished) >= 4)
        again = [d for d in taker.finished if d.redelivered]
        assert numbers(again) == [0, 1, 2]
        assert await eventually(lambda: broker.connected)
        await broker.publish(mail(3))
        assert await eventually(lambda: numbers(taker.finished[-1:]) == [3])
    assert await waiting(amqp, MAIL_INGEST_SVC) == 0


async def test_a_consumer_comes_back_to_a_queue_that_was_deleted(
    rabbit: RabbitMQ, amqp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the broker's word, or by the watch, should a queue made anew at once swallow that word."""
    monkeypatch.setattr(rabbit_broker, "WATCH_SECONDS", 1.0)
    taker = Taker()
    async with connect(amqp) as broker, broker.consume(GATEWAY, taker):
        async with await aio_pika.connect(amqp) as connection:
            channel = await connection.channel()
            await channel.queue_delete(GATEWAY.name)
        assert await check_topology(amqp) == [GATEWAY.name]
        await apply_topology(amqp)
        await broker.publish(Envelope("ticket.noted.v1", b"{}", aggregate="ticket:1"))
        await taker.until(1)


async def test_a_consumer_that_the_broker_forgot_comes_back(
    amqp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_broker, "WATCH_SECONDS", 0.2)
    taker, channels = Taker(), []

    async def spied(*arguments: Any, **options: Any) -> Any:
        channels.append(await open_channel(*arguments, **options))
        return channels[-1]

    async with connect(amqp) as broker:
        monkeypatch.setattr(rabbit_broker, "open_channel", spied)
        async with broker.consume(MAIL_INGEST_SVC, taker):
            (tag,) = channels[0].consumers
            await channels[0].basic_cancel(tag)  # nobody told the session
            await broker.publish(mail(1))
            await taker.until(1)


async def test_leaving_acknowledges_what_was_finished(amqp: str) -> None:
    taker = Taker(held=True)
    async with connect(amqp) as broker:
        async with broker.consume(MAIL_INGEST_SVC, taker):
            async with publishing(broker, [mail(n) for n in range(20)]):
                pass
            await taker.until(1, of="begun")
            asyncio.get_running_loop().call_later(0.2, taker.release.set)
        assert await waiting(amqp, MAIL_INGEST_SVC) == 20 - len(taker.finished)


async def test_nothing_hangs_while_the_broker_is_paused(
    rabbit: RabbitMQ, amqp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_broker, "PUBLISH_SECONDS", 1.0)
    taker = Taker()
    async with connect(amqp) as broker:
        async with paused(rabbit):
            started = time.monotonic()
            results = await asyncio.gather(
                *(broker.publish(mail(n)) for n in range(20)),
                broker.request(Envelope(REQUEST, b"x"), timeout=1),
                return_exceptions=True,
            )
            assert {type(result) for result in results} == {Unavailable}
            assert time.monotonic() - started < 3
        await broker.publish(mail(20))
        async with broker.consume(MAIL_INGEST_SVC, taker):
            await taker.until(21)
    assert set(numbers(taker.finished)) == set(range(21))


async def test_a_memory_alarm_neither_hangs_nor_loses(
    rabbit: RabbitMQ, amqp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbit_broker, "PUBLISH_SECONDS", 1.0)
    taker = Taker()
    async with connect(amqp) as broker, broker.consume(MAIL_INGEST_SVC, taker):
        await broker.publish(mail(0))
        await asyncio.to_thread(rabbit.ctl, *WATERMARK, "0.0000001")
        try:
            started = time.monotonic()
            results = await asyncio.gather(
                *(broker.publish(mail(n)) for n in range(1, 20)), return_exceptions=True
            )
            assert time.monotonic() - started < 3
            assert Unavailable in {type(result) for result in results}
        finally:
            await asyncio.to_thread(rabbit.ctl, *WATERMARK, "0.4")
        await taker.until(20)  # those not confirmed were taken all the same: hence the stable id
    assert numbers(taker.finished) == list(range(20))


async def test_wrong_credentials_are_told_in_one_line(rabbit: RabbitMQ) -> None:
    wrong = rabbit.url.replace("guest:guest", "guest:s3cret")
    with pytest.raises(SetupError) as caught:
        async with connect(wrong):
            pass
    place = rabbit.url.rpartition("@")[2]
    told = f"RabbitMQ at {place} refuses the credentials: check DESKWIRE_BROKER_URL"
    assert str(caught.value) == told


async def test_an_unknown_scheme_is_told() -> None:
    with pytest.raises(SetupError, match="not redis://"):
        async with connect("redis://localhost"):
            pass


async def test_a_service_starts_without_the_broker_and_comes_up_by_itself(
    rabbit: RabbitMQ, amqp: str
) -> None:
    taker = Taker()
    async with down(rabbit):
        started = time.monotonic()
        service = AsyncExitStack()
        broker = await service.enter_async_context(connect(amqp))
        await service.enter_async_context(broker.consume(MAIL_INGEST_SVC, taker))
        assert time.monotonic() - started < 5
        assert not broker.connected
        with pytest.raises(Unavailable):
            await broker.publish(mail(1))
    async with service:
        assert await eventually(lambda: broker.connected)
        await broker.publish(mail(2))
        await taker.until(1)


async def test_bytes_that_no_client_would_send_do_not_stop_a_queue(amqp: str) -> None:
    """A property that is no UTF-8: aiormq ends the connection at it, for ever."""
    taker = Taker()
    async with connect(amqp) as broker:
        await send_raw(amqp, b"zzzzzzzz", b"\xff\xfe\0\xffzzzz")
        async with broker.consume(MAIL_INGEST_SVC, taker):
            await broker.publish(mail(1))
            await taker.until(2)
    assert taker.finished[0].envelope.type.endswith("zzzz")
    assert numbers(taker.finished[1:]) == [1]


async def send_raw(url: str, old: bytes, new: bytes) -> None:
    """A message whose type is written over on its way to the wire."""
    async with await aio_pika.connect(url) as connection:
        assert connection.transport is not None
        channel: Any = await connection.transport.connection.channel()
        put = channel.write_queue.put

        async def spoiled(frame: Any) -> None:
            object.__setattr__(frame, "payload", frame.payload.replace(old, new))
            await put(frame)

        channel.write_queue.put = spoiled
        await channel.basic_publish(
            b"{}",
            routing_key=MAIL_INGEST_SVC.name,
            properties=Basic.Properties(message_type=old.decode()),
        )


async def eventually(is_so: Any) -> bool:
    async with asyncio.timeout(SOON):
        while not is_so():
            await asyncio.sleep(0.02)
    return True
