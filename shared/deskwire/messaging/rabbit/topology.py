"""`deskwire topology`: declares what services only look at."""

from typing import Any

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity

from deskwire.messaging.rabbit.session import connected
from deskwire.topology import DEAD_EXCHANGE, EVENTS_EXCHANGE, QUEUES, REQUESTS_EXCHANGE, Queue

DELIVERY_LIMIT = 20
"""Against a message that kills every process which takes it. Our own count parks it long before."""

EXCHANGES = {
    EVENTS_EXCHANGE: ExchangeType.TOPIC,
    REQUESTS_EXCHANGE: ExchangeType.DIRECT,
    DEAD_EXCHANGE: ExchangeType.DIRECT,
}


async def apply_topology(url: str) -> None:
    """Declare all of it. Needs the configure permission, which services do not have."""
    async with connected(url, "deskwire topology") as connection:
        channel = await connection.channel()
        for exchange, kind in EXCHANGES.items():
            await channel.declare_exchange(exchange, kind, durable=True)
        for queue in QUEUES:
            await _declare(channel, queue)


async def remove_topology(url: str) -> None:
    """Delete all of it, with what is in the queues: for tests on a broker that is not theirs."""
    async with connected(url, "deskwire topology") as connection:
        channel = await connection.channel()
        for queue in QUEUES:
            await channel.queue_delete(queue.name)
            await channel.queue_delete(dead_queue(queue))
        for exchange in EXCHANGES:
            await channel.exchange_delete(exchange)


async def check_topology(url: str) -> list[str]:
    """The names of the queues that are missing."""
    missing = []
    async with connected(url, "deskwire topology") as connection:
        for queue in QUEUES:
            try:
                async with connection.channel() as channel:
                    await channel.declare_queue(queue.name, passive=True)
            except ChannelNotFoundEntity:
                missing.append(queue.name)
    return missing


async def depths(url: str) -> dict[str, int]:
    """Messages that wait in each queue and in each queue of dead letters."""
    names = [queue.name for queue in QUEUES]
    names += [dead_queue(queue) for queue in QUEUES if not queue.requests]
    async with connected(url, "deskwire depths") as connection:
        channel = await connection.channel()
        declared = [await channel.declare_queue(name, passive=True) for name in names]
        return {queue.name: queue.declaration_result.message_count or 0 for queue in declared}


def dead_queue(queue: Queue) -> str:
    return f"{queue.name}.dead"


def arguments(queue: Queue) -> dict[str, Any]:
    """Only what 3.10 and 4.x both take. The type is explicit: a virtual host may have a default."""
    if queue.requests:
        return {"x-queue-type": "classic"}
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def _declare(channel: AbstractChannel, queue: Queue) -> None:
    if not queue.requests:
        dead = await channel.declare_queue(
            dead_queue(queue), durable=True, arguments={"x-queue-type": "quorum"}
        )
        await dead.bind(DEAD_EXCHANGE, queue.name)
    declared = await channel.declare_queue(queue.name, durable=True, arguments=arguments(queue))
    for message in queue.messages:
        await declared.bind(queue.exchange, message.wire_name)
