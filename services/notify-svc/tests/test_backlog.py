"""Much that waits for one server holds nothing up that is for another.

`make bench-backlog` does the same with ten times as much, and watches the memory.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from notify_desk import Desk, Hook, desk_of, replied
from test_webhooks import made

from deskwire.contracts.notifications import Delivery
from deskwire.local import Smtp, free_port
from notify_svc.sender import queue
from notify_svc.settings import Settings
from notify_svc.store.deliveries import SHARE

MANY = 5_000
SOON = 1.0

COPIES = f"""
    INSERT INTO deliveries (channel, about, ticket_id, template, recipient, message_id, context)
    SELECT channel, about || n, 100 + n, template,
           CASE channel WHEN 'mail' THEN n || recipient ELSE recipient END, message_id, context
    FROM (SELECT * FROM deliveries WHERE channel = $1 ORDER BY id LIMIT 1) AS one,
         generate_series(1, {MANY}) AS n
"""
IN_HAND = "SELECT count(*) FROM deliveries WHERE channel = $1 AND state = 'sending'"
UNSENT = "SELECT count(*) FROM deliveries WHERE channel = $1 AND state <> 'sent'"


@pytest.fixture
async def desk(told: Settings) -> AsyncIterator[Desk]:
    more = {"webhooks_to_private": True, "shutdown_seconds": 0.5}
    async with desk_of(told.model_copy(update=more)) as desk:
        yield desk


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """The URL of a server that takes calls and says nothing."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def seconds_until(desk: Desk, entry_id: int, channel: str, recipient: str) -> float:
    """From an event to the delivery that tells it."""

    def told(one: Delivery) -> bool:
        return (one.channel, one.recipient, one.state) == (channel, recipient, "sent")

    count, started = sum(map(told, desk.told)), time.monotonic()
    event = replied(entry_id)
    about = event.ticket.model_copy(update={"version": entry_id})
    await desk.tell(event.model_copy(update={"ticket": about}))
    await desk.heard(told, count=count + 1)
    return time.monotonic() - started


@pytest.mark.parametrize("answers", [True, False], ids=["silent", "dead"])
async def test_events_for_a_webhook_that_takes_none(desk: Desk, hook: Hook, answers: bool) -> None:
    async with silent() as url:
        await made(desk, hook, url=url if answers else f"http://127.0.0.1:{free_port()}/")
        await desk.tell(replied(2))
        await desk.database.pool.execute(COPIES, "webhook")
        good = await made(desk, hook)
        assert await seconds_until(desk, 3, "webhook", f"webhook:{good.webhook.id}") < SOON
        assert await desk.database.pool.fetchval(IN_HAND, "webhook") < 2 * SHARE
        assert await seconds_until(desk, 4, "mail", "alice@client.test") < SOON
        assert await desk.database.pool.fetchval(UNSENT, "webhook") > MANY


async def test_mails_for_a_server_that_is_slow(desk: Desk, hook: Hook, smtp_server: Smtp) -> None:
    await desk.tell(replied(2))
    await desk.state("sent")
    smtp_server.script = lambda command, _: time.sleep(0.02) if command == "RCPT" else None
    await desk.database.pool.execute(COPIES, "mail")
    new = await made(desk, hook)
    assert await seconds_until(desk, 3, "webhook", f"webhook:{new.webhook.id}") < SOON
    in_hand = await desk.database.pool.fetchval(IN_HAND, "mail")
    assert 0 < in_hand <= queue.IN_HAND * 4 / 2, "all of these are in doubt when it is killed"
    assert await desk.database.pool.fetchval(UNSENT, "mail") > MANY * 0.8
