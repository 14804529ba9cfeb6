"""Mails out over SMTP: notify-svc alone, beside one aiosmtplib loop that sends
the same mails, ready made, to the same server.

Its mails are due in its table when it begins. It writes them, sends them, keeps what became of
each, and meanwhile tells RabbitMQ of each; what that costs is seen by a run whose broker is away.

python -m bench.sending [MAILS]
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import aiosmtplib
import launching
import uvloop

from bench.rig import ROOT, fresh
from deskwire import db
from deskwire.contracts.tickets import TicketReplied
from deskwire.local import free_port, postgres, rabbitmq, rabbitmq_available
from deskwire.messaging.broker import connect
from deskwire.messaging.envelope import wrap
from deskwire.messaging.rabbit import apply_topology
from notify_svc.rendering.letter import Letter, Letterhead, render
from notify_svc.rendering.samples import NOW, samples
from notify_svc.sender.smtp import SmtpServer

MAILS = 10_000
EVENTS = 30
EXAMPLE = ROOT / "shared" / "tests" / "examples" / "ticket.replied.v1.json"
SUPPORT = "support@example.com"
REPLY = dict(samples("en"))["public-reply"]

# Each to somebody else about a ticket of its own.
FILL = """
    INSERT INTO deliveries (about, ticket_id, template, recipient, message_id, context)
    SELECT 'entry:' || n, n, 'public-reply', n || '@client.test', '<' || n || '.' || $2, $3
    FROM generate_series(1, $1) AS n
"""
SENT = """
    SELECT count(*), extract(epoch FROM max(sent_at) - min(sent_at))::float8 AS seconds
    FROM deliveries WHERE state = 'sent'
"""
TOLD = """
    SELECT count(*) FILTER (WHERE published_at IS NULL) AS waiting,
           extract(epoch FROM max(published_at)
                              - (SELECT min(sent_at) FROM deliveries))::float8 AS seconds
    FROM outbox WHERE type = 'mail.delivery.v1'
"""


@contextmanager
def sink(seconds: float = 0) -> Iterator[int]:
    """The port of a server that takes everything, each mail after so many seconds."""
    port = free_port()
    command = [sys.executable, "-m", "bench.sink", str(port), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()  # it listens
        yield port
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def notify_svc(
    server: str, broker: str, port: int, **more: object
) -> AsyncIterator[tuple[db.Database, int]]:
    """Its database, and its process; what is due in it is sent."""
    url = await fresh(server, f"notify{free_port()}", "notify_svc")
    told = {
        "broker_url": broker,
        "blob_url": "memory://",
        "log_level": "ERROR",
        "smtp_url": f"smtp://127.0.0.1:{port}",
        "mail_from": SUPPORT,
    } | more
    async with db.connect(url, size=2) as database:
        process = await launching.start("notify_svc", told, url)
        try:
            yield database, process.pid
        finally:
            process.terminate()
            await process.wait()


async def ours(server: str, broker: str, port: int, mails: int) -> tuple[float, float, float]:
    """Mails a second, from the first that is written as sent to the last; the same until the last
    is told, and seconds from an event to its mail, p50: 0 without RabbitMQ."""
    async with notify_svc(server, broker, port) as (database, _):
        sent = mails / await _seconds(database, mails)
        if not broker.startswith("amqp"):
            return sent, 0.0, 0.0
        while (row := await database.pool.fetchrow(TOLD)) is None or row["waiting"]:
            await asyncio.sleep(0.2)
        return sent, mails / row["seconds"], await _event_to_mail(database, broker)


async def telling_nobody(server: str, port: int, mails: int) -> float:
    """Mails a second while RabbitMQ is away."""
    away = f"amqp://127.0.0.1:{free_port()}"
    async with notify_svc(server, away, port) as (database, _):
        return mails / await _seconds(database, mails)


async def _seconds(database: db.Database, mails: int) -> float:
    stamp, context = REPLY.message_id.removeprefix("<"), REPLY.notice.model_dump_json()
    await database.pool.execute(FILL, mails, stamp, context, timeout=120)
    while True:
        await asyncio.sleep(0.2)
        (row,) = await database.pool.fetch(SENT)
        if row["count"] == mails:
            return float(row["seconds"])


async def _event_to_mail(database: db.Database, url: str) -> float:
    """Until it is written that the server has taken the mail, which is some time after that."""
    event = TicketReplied.model_validate_json(EXAMPLE.read_bytes())
    published = {}
    async with connect(url) as broker:
        for number in range(EVENTS):
            entry = event.entry.model_copy(update={"id": 1_000_000 + number})
            published[f"entry:{entry.id}"] = datetime.now(UTC)
            await broker.publish(wrap(event.model_copy(update={"entry": entry})))
            await asyncio.sleep(0.2)
    query = "SELECT about, min(sent_at) AS at FROM deliveries WHERE about = ANY($1) GROUP BY about"
    rows = await database.pool.fetch(query, list(published))
    took: list[float] = [(row["at"] - published[row["about"]]).total_seconds() for row in rows]
    return median(took)


async def one_loop(port: int, mails: int) -> float:
    """The same mails, written before and sent one after the other over one connection."""
    content = _letter().content
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    started = time.perf_counter()
    for n in range(mails):
        await client.mail(SUPPORT)
        await client.rcpt(f"{n}@client.test")
        await client.data(content)
    took = time.perf_counter() - started
    await client.quit()
    return mails / took


async def one_line(port: int, mails: int) -> float:
    """The same over one connection of ours: what is left of it when nothing else is done."""
    line, letter = SmtpServer(f"smtp://127.0.0.1:{port}", helo="example.com").line(), _letter()
    started = time.perf_counter()
    for _ in range(mails):
        await line.send(letter)
    took = time.perf_counter() - started
    await line.rest()
    return mails / took


def _letter() -> Letter:
    return render(REPLY, Letterhead("Support", SUPPORT, SUPPORT), delivery=1, created_at=NOW)


@dataclass(frozen=True)
class Rates:
    """Mails a second: sent by the service, until the last was told of, sent while RabbitMQ was
    away, over one connection of ours. The loops run before and after the service; ``uvloop`` is the
    same loop on what the services run on. ``event_to_mail`` in seconds. 0 without RabbitMQ."""

    ours: float
    told: float
    event_to_mail: float
    untold: float
    line: float
    loop: float
    uvloop: float


def measured(folder: Path, mails: int = MAILS) -> Rates:
    with ExitStack() as stack:
        server, port = stack.enter_context(postgres(folder / "pg")), stack.enter_context(sink())
        broker = "memory://sending"
        if rabbitmq_available():
            broker = stack.enter_context(rabbitmq(folder / "mq")).url
            uvloop.run(apply_topology(broker))
        before = asyncio.run(one_loop(port, mails)), uvloop.run(one_loop(port, mails))
        found = uvloop.run(ours(server, broker, port, mails))
        untold = uvloop.run(telling_nobody(server, port, mails))
        line = uvloop.run(one_line(port, mails))
        after = asyncio.run(one_loop(port, mails)), uvloop.run(one_loop(port, mails))
        return Rates(
            *found, untold, line, *(sum(both) / 2 for both in zip(before, after, strict=True))
        )


def _ratios(rates: Rates, loop: float) -> str:
    return f"{rates.ours / loop:.2f}, RabbitMQ away {rates.untold / loop:.2f}"


def main() -> None:
    mails = int(sys.argv[1]) if sys.argv[1:] else MAILS
    with TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        rates = measured(Path(name), mails)
    print(f"notify-svc: {rates.ours:,.0f} mails/s; event to mail p50 {rates.event_to_mail:.3f} s")
    print(f"until the last is told, too: {rates.told:,.0f}/s; RabbitMQ away: {rates.untold:,.0f}/s")
    for loop, rate in (("asyncio", rates.loop), ("uvloop", rates.uvloop)):
        print(f"one aiosmtplib loop on {loop}: {rate:,.0f}/s; ratio {_ratios(rates, rate)}")
    print(f"one connection of ours: {rates.line:,.0f}/s; ratio {rates.line / rates.uvloop:.2f}")


if __name__ == "__main__":
    main()
