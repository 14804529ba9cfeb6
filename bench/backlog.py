"""Much that waits for a mail server and for a webhook, which both are slow: how late is an event
told to another webhook, and how much memory does notify-svc need?

python -m bench.backlog [DELIVERIES]
"""

import asyncio
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import asyncpg
import uvloop

from bench.rig import ROOT, rss
from bench.sending import FILL, REPLY, notify_svc, sink
from deskwire.contracts.tickets import TicketReplied
from deskwire.local import postgres, rabbitmq
from deskwire.messaging.broker import Broker, connect
from deskwire.messaging.envelope import wrap
from deskwire.messaging.rabbit import apply_topology

DELIVERIES = 50_000
EVENTS = 20
THINKS_SECONDS = 1.0
EXAMPLE = ROOT / "shared" / "tests" / "examples" / "ticket.replied.v1.json"

HOOK = "INSERT INTO webhooks (url, description, events, secret) VALUES ($1, '', $2, 'whsec_AAAA')"
TELL = """
    INSERT INTO deliveries (channel, about, ticket_id, template, recipient, message_id, context)
    SELECT 'webhook', 'evt_' || n, n, 'ticket.opened', 'webhook:1', 'evt_' || n, '{}'
    FROM generate_series(1, $1) AS n
"""


class Hook:
    """Answers after a while; knows when it was called."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.called: asyncio.Queue[float] = asyncio.Queue()

    async def listen(self) -> tuple[str, asyncio.Server]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.called.put_nowait(time.perf_counter())
        await asyncio.sleep(self._seconds)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


async def measure(server: str, broker_url: str, port: int, deliveries: int) -> None:
    slow, quick = Hook(THINKS_SECONDS), Hook(0)
    (slow_url, slow_server), (url, quick_server) = await slow.listen(), await quick.listen()
    more = {"webhooks_to_private": True}
    async with (
        slow_server,
        quick_server,
        notify_svc(server, broker_url, port, **more) as (database, pid),
        connect(broker_url) as broker,
    ):
        await database.pool.execute(HOOK, slow_url, ["ticket.opened"])
        await database.pool.execute(HOOK, url, ["ticket.replied"])
        await _late(broker, quick, 1)  # it runs by now
        before = rss(pid)
        await _fill(database.pool, deliveries)
        late = [await _late(broker, quick, version) for version in range(2, EVENTS + 2)]
        rows = await database.pool.fetch("SELECT FROM deliveries WHERE state <> 'sent'")
        print(f"{len(rows):,} deliveries wait, {slow.called.qsize()} calls and some mails are out")
        print(f"an event for another webhook: p50 {median(late):.3f} s, at most {max(late):.3f} s")
        print(f"memory: {before / 1024:.0f} MiB before, {rss(pid) / 1024:.0f} MiB after")


async def _fill(pool: "asyncpg.Pool[asyncpg.Record]", deliveries: int) -> None:
    stamp, context = REPLY.message_id.removeprefix("<"), REPLY.notice.model_dump_json()
    await pool.execute(TELL, deliveries, timeout=300)
    await pool.execute(FILL, deliveries, stamp, context, timeout=300)


async def _late(broker: Broker, hook: Hook, version: int) -> float:
    event = TicketReplied.model_validate_json(EXAMPLE.read_bytes())
    ticket = event.ticket.model_copy(update={"version": 1000 + version})
    started = time.perf_counter()
    await broker.publish(wrap(event.model_copy(update={"ticket": ticket})))
    return await hook.called.get() - started


def main() -> None:
    deliveries = int(sys.argv[1]) if sys.argv[1:] else DELIVERIES
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o711)
        server, port = stack.enter_context(postgres(folder / "pg")), stack.enter_context(sink(0.2))
        broker = stack.enter_context(rabbitmq(folder / "mq")).url
        uvloop.run(apply_topology(broker))
        uvloop.run(measure(server, broker, port, deliveries))


if __name__ == "__main__":
    main()
