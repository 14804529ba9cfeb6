"""What orchestrators and Prometheus are told."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import generate_latest

from deskwire import db, health
from deskwire.errors import SetupError
from deskwire.local import free_port
from deskwire.messaging.broker import Delivery, connect
from deskwire.messaging.consumer import Consumer
from deskwire.messaging.envelope import Envelope
from deskwire.messaging.outbox import Outbox
from deskwire.metrics import LOOP_LAG
from deskwire.topology import GATEWAY


async def get(port: int, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def test_all_is_well(database: db.Database) -> None:
    port = free_port()
    LOOP_LAG.labels("test").set(0.25)
    async with connect(f"memory://{uuid4()}") as broker, health.serving(port, database, broker):
        assert await get(port, "/livez") == (200, b'{"status":"ok"}')
        status, body = await get(port, "/readyz")
        assert (status, json.loads(body)) == (200, {"database": "ok", "broker": "ok"})
        status, body = await get(port, "/metrics")
        assert status == 200
        assert b'deskwire_loop_lag_seconds{service="test"} 0.25' in body
        assert (await get(port, "/"))[0] == 404


async def test_a_strangers_message_makes_no_series(database: db.Database) -> None:
    async with connect(f"memory://{uuid4()}") as broker:
        consumer = Consumer(GATEWAY, {}, Outbox(database, broker, service="test"))
        await consumer.handle([Delivery(Envelope("evil\ud800.v1", b"{}"))])
    assert b"evil" not in generate_latest()


async def test_without_the_database_it_is_alive_and_not_ready(gate: Any) -> None:
    async with db.connect(gate.url) as database, connect(f"memory://{uuid4()}") as broker:
        await gate.shut()
        assert (await health.answer("/livez", database, broker))[0] == 200
        status, _, body = await health.answer("/readyz", database, broker)
        assert (status, json.loads(body)) == (503, {"database": "away", "broker": "ok"})
        await gate.open()
        assert (await health.answer("/readyz", database, broker))[0] == 200


async def test_without_the_broker_it_is_ready_and_says_so(database: db.Database) -> None:
    async with connect(f"amqp://127.0.0.1:{free_port()}") as broker:
        status, _, body = await health.answer("/readyz", database, broker)
    assert (status, json.loads(body)) == (200, {"database": "ok", "broker": "away"})


async def test_port_0_serves_nothing_and_a_port_in_use_is_told(database: db.Database) -> None:
    port = free_port()
    async with connect(f"memory://{uuid4()}") as broker:
        async with health.serving(0, database, broker):
            pass
        async with health.serving(port, database, broker):
            with pytest.raises(SetupError, match=f"port {port} cannot be used.*already in use"):
                async with health.serving(port, database, broker):
                    pass
