"""`deskwire` as operators run it: a process of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from deskwire import db
from deskwire.contracts.mail import MailHandled
from deskwire.messaging.broker import connect
from deskwire.messaging.outbox import Outbox

DESKWIRE = Path(sys.executable).with_name("deskwire")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SETTINGS = {
    "SIGNING_KEY": "a signing key for tests alone",
    "SMTP_URL": "smtp://127.0.0.1:25",
    "MAIL_FROM": "support@example.com",
}
HANDLED = MailHandled(mail_id=7, outcome="ignored", reason="a newsletter")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line that says why not."""
        assert self.code == 1, self
        (line,) = self.err.splitlines()
        assert line.startswith("deskwire: ")
        assert "Traceback" not in self.out
        return line

    def lines(self) -> list[str]:
        assert (self.code, self.err) == (0, ""), self
        return self.out.splitlines()


async def deskwire(*arguments: str, **settings: str) -> Done:
    """Run it with these ``DESKWIRE_`` variables and no others."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("DESKWIRE_")}
    process = await asyncio.create_subprocess_exec(
        DESKWIRE,
        *arguments,
        env=inherited | {f"DESKWIRE_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def outbox_of(url: str) -> AsyncIterator[Outbox]:
    async with connect(f"memory://{uuid4()}") as broker, db.connect(url, size=2) as database:
        yield Outbox(database, broker, service="test")


async def run_sql(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def fail(url: str, ids: Sequence[UUID], *, parked: bool) -> None:
    retry = "NULL" if parked else "now() + interval '10 minutes'"
    await run_sql(
        url,
        "INSERT INTO dead_letters (consumer, message_id, type, aggregate, body, correlation_id,"
        " causation_id, traceparent, attempts, error, retry_at)"
        f" SELECT 'mail-ingest-svc', id, $2, '', $3, '', '', '', 6, 'it broke', {retry}"
        " FROM unnest($1::uuid[]) AS id",
        list(ids),
        HANDLED.wire_name,
        HANDLED.model_dump_json().encode(),
    )
