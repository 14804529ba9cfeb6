"""Mails out over SMTP, beside one aiosmtplib loop that sends the same mail to the same server."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aiosmtplib

from bench.rig import ROOT, Rig
from deskwire.local import free_port

MAILS = 2_000

# What one reply made is queued again for others, each about a ticket of its own.
BACKLOG = """
    INSERT INTO deliveries (about, ticket_id, template, recipient, message_id, context,
                            next_attempt_at, queued_at)
    SELECT about || '-' || n, ticket_id + n, template, n || recipient,
           replace(message_id, '@', '.' || n || '@'), context, now(), now()
    FROM (SELECT * FROM deliveries WHERE template = 'public-reply' ORDER BY id LIMIT 1) AS one
    CROSS JOIN generate_series(1, $1) AS n
"""
ONE = "SELECT FROM deliveries WHERE template = 'public-reply' AND state = 'sent'"
SENT = "SELECT count(*), extract(epoch FROM max(sent_at) - min(sent_at))::float8 AS seconds"
SENT += " FROM deliveries WHERE state = 'sent' AND about LIKE '%-%'"


@contextmanager
def sink() -> Iterator[int]:
    """The port of a server that takes everything."""
    port = free_port()
    command = [sys.executable, "-m", "bench.sink", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        process.stdout.readline()  # it listens
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def ours(rig: Rig) -> float:
    """Mails a second, from claim to settled, with all services in one process."""
    made = rig.api("POST", "/tickets", {"subject": "Printer", "body": "It burns.", "client_id": 1})
    reply = {"kind": "public", "body": "It is on its way. " * 20}
    rig.api("POST", f"/tickets/{made['id']}/entries", reply)
    while not await rig.query("notify-svc", ONE):
        await asyncio.sleep(0.1)
    await rig.query("notify-svc", BACKLOG, MAILS)
    while True:
        await asyncio.sleep(0.5)
        (row,) = await rig.query("notify-svc", SENT)
        if row["count"] >= MAILS:
            return float(MAILS / row["seconds"])


async def one_loop(port: int, content: bytes) -> float:
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    await client.connect()
    started = time.perf_counter()
    for n in range(MAILS):
        await client.mail("support@example.com")
        await client.rcpt(f"{n}@client.test")
        await client.data(content)
    return MAILS / (time.perf_counter() - started)
