"""The broker port on RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import uuid4

from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.exceptions import PublishError
from pamqp.commands import Basic

from deskwire.errors import Unavailable, Unroutable
from deskwire.messaging.broker import BATCH, DRAIN_SECONDS, Delivery, HandleBatch
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.feed import Waiting, feeding
from deskwire.messaging.rabbit import wire
from deskwire.messaging.rabbit.session import (
    LOST,
    closing,
    connected,
    ended,
    kept_open,
    open_channel,
    refuse_bad_credentials,
)
from deskwire.topology import EVENTS_EXCHANGE, REQUESTS_EXCHANGE, Queue

PUBLISH_SECONDS = 10.0
CONSUME_SECONDS = 10.0
"""A queue that is just deleted or elects a leader may never answer; asked anew, it does."""

WATCH_SECONDS = 30.0
REPLY_TO = "amq.rabbitmq.reply-to"


class RabbitBroker:
    """Publishes on one connection and consumes each queue on another."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = url
        self._name = name
        self._publisher: _Publisher | None = None

    @property
    def connected(self) -> bool:
        return self._publisher is not None

    @asynccontextmanager
    async def running(self) -> AsyncIterator["RabbitBroker"]:
        await refuse_bad_credentials(self._url, self._name)
        async with kept_open(self._publishing):
            yield self

    async def publish(self, envelope: Envelope) -> None:
        channel = self._session().confirmed
        with _translated(envelope.type):
            await channel.basic_publish(
                envelope.body,
                exchange=EVENTS_EXCHANGE,
                routing_key=envelope.type,
                properties=wire.properties(envelope),
                mandatory=True,
                wait=False,
                timeout=PUBLISH_SECONDS,
            )

    async def request(self, envelope: Envelope, *, timeout: float) -> bytes:
        publisher = self._session()
        call_id = uuid4().hex  # the message's own id may be asked for twice at once
        expiration = str(int(timeout * 1000))
        with _translated(envelope.type), publisher.expecting(call_id) as answer:
            async with asyncio.timeout(timeout):
                await publisher.unconfirmed.basic_publish(
                    envelope.body,
                    exchange=REQUESTS_EXCHANGE,
                    routing_key=envelope.type,
                    properties=wire.properties(
                        envelope,
                        reply_to=REPLY_TO,
                        correlation_id=call_id,
                        expiration=expiration,
                    ),
                    wait=False,
                )
                return await answer

    @asynccontextmanager
    async def consume(
        self, queue: Queue, handle: HandleBatch, *, drain: float = DRAIN_SECONDS
    ) -> AsyncIterator[None]:
        async def session(ready: asyncio.Event) -> None:
            async with connected(self._url, f"{self._name} {queue.name}") as connection:
                channel = await open_channel(connection)
                await self._consuming(channel, queue, handle, drain, ready)

        async with kept_open(session):
            yield

    def _session(self) -> "_Publisher":
        if self._publisher is None:
            raise Unavailable("RabbitMQ cannot be reached")
        return self._publisher

    async def _publishing(self, ready: asyncio.Event) -> None:
        async with connected(self._url, f"{self._name} publishing") as connection:
            confirmed = await open_channel(connection, confirms=True)
            unconfirmed = await open_channel(connection)
            publisher = _Publisher(confirmed, unconfirmed)
            await unconfirmed.basic_consume(REPLY_TO, publisher.receive, no_ack=True)
            self._publisher = publisher
            ready.set()
            try:
                await ended(closing(confirmed), closing(unconfirmed))
            finally:
                self._publisher = None
                publisher.give_up()

    async def _consuming(
        self,
        channel: Channel,
        queue: Queue,
        handle: HandleBatch,
        drain: float,
        ready: asyncio.Event,
    ) -> None:
        waiting, cancelled = Waiting(), asyncio.Event()

        async def receive(message: DeliveredMessage) -> None:
            waiting.put(self._delivery(message))

        async def acknowledge(batch: Sequence[Delivery]) -> None:
            with suppress(*LOST):  # the channel is gone: redelivered, and known by its id
                await channel.basic_ack(batch[-1].tag, multiple=True, wait=False)

        channel.on_consumer_cancel_callbacks.add(lambda _: cancelled.set())
        await channel.basic_qos(prefetch_count=2 * BATCH, timeout=CONSUME_SECONDS)
        async with feeding(waiting, handle, acknowledge, drain=drain):
            consumer = await channel.basic_consume(queue.name, receive, timeout=CONSUME_SECONDS)
            ready.set()
            try:
                await ended(closing(channel), cancelled.wait(), _forgotten(channel, queue))
            finally:
                with suppress(*LOST):
                    await channel.basic_cancel(consumer.consumer_tag or "", timeout=5)

    def _delivery(self, message: DeliveredMessage) -> Delivery:
        reply_to = message.header.properties.reply_to
        call_id = message.header.properties.correlation_id

        async def reply(body: bytes) -> None:
            with suppress(*LOST, Unavailable):  # the caller asks again with the same id
                await self._session().unconfirmed.basic_publish(
                    body,
                    routing_key=reply_to or "",
                    properties=Basic.Properties(correlation_id=call_id, delivery_mode=1),
                    wait=False,
                )

        return Delivery(
            wire.envelope(message),
            redelivered=bool(message.redelivered),
            reply=reply if reply_to else None,
            tag=message.delivery_tag,
        )


class _Publisher:
    """The channels of one publishing session and the answers it waits for."""

    def __init__(self, confirmed: Channel, unconfirmed: Channel) -> None:
        self.confirmed = confirmed
        self.unconfirmed = unconfirmed
        self._answers: dict[str, asyncio.Future[bytes]] = {}

    @contextmanager
    def expecting(self, call_id: str) -> Iterator[asyncio.Future[bytes]]:
        answer = asyncio.get_running_loop().create_future()
        self._answers[call_id] = answer
        try:
            yield answer
        finally:
            self._answers.pop(call_id, None)

    async def receive(self, message: DeliveredMessage) -> None:
        answer = self._answers.get(message.header.properties.correlation_id or "")
        if answer is not None and not answer.done():
            answer.set_result(bytes(message.body))

    def give_up(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Unavailable("the connection to RabbitMQ was lost"))


async def _forgotten(channel: Channel, queue: Queue) -> None:
    """Returns when the broker no longer knows a consumer of the queue, or no longer answers."""
    with suppress(*LOST):
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            told = await channel.queue_declare(queue.name, passive=True, timeout=WATCH_SECONDS)
            if not told.consumer_count:
                return


@contextmanager
def _translated(message_type: str) -> Iterator[None]:
    try:
        yield
    except PublishError as error:
        raise Unroutable(f"no queue takes {message_type}") from error
    except TimeoutError as error:
        raise Unavailable(f"RabbitMQ did not answer to {message_type} in time") from error
    except LOST as error:
        raise Unavailable(f"RabbitMQ: {str(error) or repr(error)}") from error
    except asyncio.CancelledError as error:  # aiormq cancels its waiters when the connection dies
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise Unavailable("the connection to RabbitMQ was lost") from error
