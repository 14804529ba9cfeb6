"""`deskwire dlq`, `outbox`, `topology` and `reproject`, on a real PostgreSQL and RabbitMQ."""

import asyncio
import json
import re
from collections.abc import Sequence
from uuid import uuid4

from command_line import (
    HANDLED,
    deskwire,
    fail,
    outbox_of,
    run_sql,
)

from deskwire.contracts.base import Message
from deskwire.contracts.mail import MailHandled
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.broker import Delivery, connect
from deskwire.messaging.consumer import Consumer
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.rabbit import apply_topology
from deskwire.topology import MAIL_INGEST_SVC, TICKET_SVC

# Dead letters and the outbox


class Office:
    """A consumer that fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.seen: list[Message] = []

    async def handle(self, message: Message, _tx: Transaction) -> None:
        if self.broken:
            raise RuntimeError("the office is shut")
        self.seen.append(message)


async def test_dlq_shows_what_failed(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    parked, retrying = uuid4(), uuid4()
    await fail(databases["mail-ingest-svc"], [parked], parked=True)
    await fail(databases["mail-ingest-svc"], [retrying], parked=False)
    listed = (await deskwire("dlq", "list", **settings)).lines()
    assert [line for line in listed if "\t" not in line] == ["parked: 1", "retrying: 1"]
    assert str(parked) in listed[2]
    assert "it broke" in listed[2]
    assert str(retrying) in listed[5]
    shown = "\n".join((await deskwire("dlq", "show", str(parked), **settings)).lines())
    assert "error: it broke" in shown
    assert '"reason": "a newsletter"' in shown


async def test_dlq_replay_keeps_the_message_id(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URLS": json.dumps(databases)}
    message_id = uuid4()
    await fail(url, [message_id], parked=True)
    office = Office()
    async with outbox_of(url) as outbox:
        consumer = Consumer(MAIL_INGEST_SVC, {MailHandled: office.handle}, outbox)
        await consumer.retry_due()
        assert office.seen == []  # it is parked

        done = await deskwire("dlq", "replay", str(message_id), **settings)
        assert done.lines() == [f"replayed {message_id} at mail-ingest-svc"]
        await consumer.retry_due()  # it fails once more, and is not given up at once
        (row,) = await run_sql(url, "SELECT * FROM dead_letters")
        assert (row["attempts"], row["retry_at"] is not None) == (1, True)

        office.broken = False
        await deskwire("dlq", "replay", str(message_id), **settings)
        await consumer.retry_due()
    assert office.seen == [HANDLED]
    assert await run_sql(url, "SELECT * FROM dead_letters") == []
    (known,) = await run_sql(url, "SELECT message_id FROM inbox")
    assert known["message_id"] == message_id


async def test_dlq_replays_all_that_is_parked(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URL": url}
    service = ("--service", "mail-ingest-svc")
    await fail(url, [uuid4(), uuid4()], parked=True)
    await fail(url, [uuid4()], parked=False)
    assert len((await deskwire("dlq", "replay", "--all", *service, **settings)).lines()) == 2
    due = await run_sql(url, "SELECT 1 FROM dead_letters WHERE retry_at <= now()")
    assert len(due) == 2
    none = await deskwire("dlq", "replay", "--all", *service, **settings)
    assert "no such dead letter" in none.refused()


async def test_dlq_forgets_what_is_discarded(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URLS": json.dumps(databases)}
    unwanted, wanted = uuid4(), uuid4()
    await fail(url, [unwanted, wanted], parked=True)
    assert (await deskwire("dlq", "discard", str(unwanted), **settings)).lines()
    (left,) = await run_sql(url, "SELECT message_id FROM dead_letters")
    assert left["message_id"] == wanted
    again = await deskwire("dlq", "discard", str(unwanted), **settings)
    assert "no such dead letter" in again.refused()


async def test_what_waits_in_the_outbox_is_listed_and_published_again(
    databases: dict[str, str],
) -> None:
    url = databases["ticket-svc"]
    settings = {"DATABASE_URL": url}
    of = ("--service", "ticket-svc")
    async with outbox_of(url) as outbox:
        async with outbox.transaction() as tx:
            tx.emit(HANDLED)
        await run_sql(url, "UPDATE outbox SET created_at = now() - interval '90 s'")
        head, _, row = (await deskwire("outbox", "list", *of, **settings)).lines()
        assert re.fullmatch(r"ticket-svc: 1 waiting, the oldest for (9|1\d)\d s", head)
        assert "mail:7" in row.split("\t")
        await run_sql(url, "UPDATE outbox SET published_at = '2026-05-04 12:00Z'")

    republish = ("outbox", "republish", *of, "--since")
    (line,) = (await deskwire(*republish, "2026-05-04T12:00:01", **settings)).lines()
    assert line == "ticket-svc: 0 messages are published again"
    (line,) = (await deskwire(*republish, "2026-05-04T12:00", **settings)).lines()
    assert line == "ticket-svc: 1 messages are published again"
    (again,) = await run_sql(url, "SELECT message_id, published_at FROM outbox")
    assert again["published_at"] is None
    assert str(again["message_id"]) in row.split("\t")


# RabbitMQ


async def test_topology_is_applied_and_checked(amqp_url: str) -> None:
    settings = {"BROKER_URL": amqp_url}
    assert "missing: ticket-svc" in (await deskwire("topology", "check", **settings)).refused()
    for _ in range(2):
        assert "ticket-svc" in (await deskwire("topology", "apply", **settings)).lines()[0]
    assert (await deskwire("topology", "check", **settings)).lines() == ["complete"]


async def test_reproject_asks_the_owners(amqp_url: str) -> None:
    await apply_topology(amqp_url)
    asked: asyncio.Queue[Message] = asyncio.Queue()

    async def hear(batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            asked.put_nowait(delivery.envelope.message)

    async with connect(amqp_url) as broker, broker.consume(TICKET_SVC, hear):
        (await deskwire("reproject", BROKER_URL=amqp_url)).lines()
        assert await asyncio.wait_for(asked.get(), 10) == ReplayDocuments()
