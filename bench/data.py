"""Tickets as a busy helpdesk has them after some years, in the gateway's read model.

    python -m bench.data FOLDER [TICKETS ...]

A private PostgreSQL under FOLDER gets a database for each number of tickets, with three entries a
ticket. Few clients write most tickets, few words are most of the text, nearly all is closed.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import orjson

from bench.seed import documents
from deskwire import db
from deskwire.local import postgres
from gateway.readmodel.texts import KEEP_TEXTS_OF_TICKETS

SIZES = (10_000, 1_000_000)
CLIENTS, AGENTS, ASSETS = 240, 25, 4_000
CONTACTS_EACH = 6
ENTRIES_EACH = 3
DAYS = 5 * 365
WORDS, TEXTS = 20_000, 20_000
BATCH = 5_000
END = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = {"synchronous_commit": "off", "maintenance_work_mem": "1GB"}

STATUSES = ("open", "working", "hold", "auto-close")
PRIORITIES = ("low", "medium", "high")
SOURCES = ("email", "api", "agent", "schedule")
CATEGORIES = ("hardware", "software", "network", "mail", "backup", "printing", "access", "phone")
KINDS = ("client", "public", "public", "internal")

TICKET_COLUMNS = (
    "id", "number", "reference", "status", "priority", "client_id", "assigned_to", "source",
    "created_at", "updated_at", "version", "doc", "lookups",
)  # fmt: skip
ENTRY_COLUMNS = ("id", "ticket_id", "kind", "created_at", "version", "doc", "reply_id", "redacted")


class Skewed(NamedTuple):
    """Values of which the n-th is taken 1/n as often as the first."""

    values: Sequence[Any]
    weights: Sequence[float]

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Skewed":
        return cls(values, list(accumulate(1 / (n + 1) for n in range(len(values)))))

    def some(self, rng: random.Random, count: int) -> list[Any]:
        return rng.choices(self.values, cum_weights=self.weights, k=count)

    def one(self, rng: random.Random) -> Any:
        return self.some(rng, 1)[0]


def words(rng: random.Random) -> list[str]:
    """Made up, the most frequent first."""
    parts = [a + b for a in "bcdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "il")]
    made = {"".join(rng.choices(parts, k=rng.randint(1, 4))): None for _ in range(WORDS * 2)}
    return list(made)[:WORDS]


class Helpdesk:
    """Makes rows, always the same ones."""

    def __init__(self, tickets: int, entries_each: int) -> None:
        self.tickets = tickets
        self._entries_each = entries_each
        self._rng = rng = random.Random(1)
        self.words = Skewed.of(words(rng))
        self._texts = [self._text(rng.randint(15, 60)) for _ in range(min(TEXTS, tickets))]
        self._clients = Skewed.of(range(1, CLIENTS + 1))
        self._agents = Skewed.of(range(1, AGENTS + 1))
        self._categories, self._tags = (
            Skewed.of(CATEGORIES),
            Skewed.of([f"tag{n}" for n in range(60)]),
        )
        ticket, entry = documents()
        self._ticket, self._entry = orjson.loads(ticket), orjson.loads(entry)

    def _text(self, count: int) -> str:
        return " ".join(self.words.some(self._rng, count))

    def rows(self, first: int, last: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Of the tickets with these ids: their rows, and those of their entries."""
        tickets: list[tuple[Any, ...]] = []
        entries: list[tuple[Any, ...]] = []
        for id in range(first, last):
            at = END - timedelta(days=DAYS * (1 - id / self.tickets))
            opening = self._rng.choice(self._texts)
            tickets.append(self._ticket_row(id, at, opening))
            entries += self._entry_rows(id, at, opening)
        return tickets, entries

    def _ticket_row(self, id: int, at: datetime, opening: str) -> tuple[Any, ...]:
        rng = self._rng
        recent = id > self.tickets * 0.98
        status = rng.choice(STATUSES) if rng.random() < (0.6 if recent else 0.002) else "closed"
        priority = rng.choices(PRIORITIES, (70, 25, 5))[0]
        source = rng.choices(SOURCES, (70, 15, 10, 5))[0]
        client = self._clients.one(rng)
        contact = client * CONTACTS_EACH + rng.randrange(CONTACTS_EACH)
        agent = None if rng.random() < 0.1 else self._agents.one(rng)
        category = self._categories.one(rng) if rng.random() < 0.6 else None
        tags = sorted(set(self._tags.some(rng, 2))) if rng.random() < 0.3 else []
        assets = [rng.randrange(1, ASSETS)] if rng.random() < 0.4 else []
        updated = at + timedelta(hours=rng.expovariate(1 / 48))
        subject = self._text(rng.randint(3, 7))
        doc = self._ticket | {
            "id": id,
            "number": id,
            "reference": f"TCK-{id}",
            "subject": subject,
            "body": {"text": opening, "html": None},
            "status": status,
            "priority": priority,
            "category": category,
            "source": source,
            "client": {"id": client, "name": f"Client {client}"},
            "contact": {
                "id": contact,
                "name": f"Person{contact} Surname{client}",
                "email": f"person{contact}@client{client}.test",
            },
            "assigned_to": agent and {"id": agent, "name": f"Agent {agent}", "email": None},
            "assets": [{"id": asset, "name": f"PC-{asset}"} for asset in assets],
            "tags": tags,
            "entry_count": self._entries_each,
            "created_at": at,
            "updated_at": updated,
        }
        lookups = [f"contact:{contact}", *(f"tag:{tag}" for tag in tags)]
        lookups += [f"asset:{asset}" for asset in assets]
        lookups += [f"category:{category}"] if category else []
        text = orjson.dumps(doc).decode()
        return (
            id, id, f"TCK-{id}", status, priority, client, agent, source, at, updated, 1, text,
            lookups,
        )  # fmt: skip

    def _entry_rows(self, ticket: int, at: datetime, opening: str) -> Iterator[tuple[Any, ...]]:
        for n in range(self._entries_each):
            id = ticket * self._entries_each + n
            kind = self._rng.choice(KINDS) if n else "client"
            written = at + timedelta(hours=n)
            doc = self._entry | {
                "id": id,
                "ticket_id": ticket,
                "origin_ticket_id": ticket,
                "kind": kind,
                "opening": n == 0,
                "body": {"text": self._rng.choice(self._texts) if n else opening, "html": None},
                "created_at": written,
            }
            text = orjson.dumps(doc).decode()
            yield id, ticket, kind, written, 1, text, id if n else None, False


async def fill(database_url: str, tickets: int, entries_each: int = ENTRIES_EACH) -> None:
    """Into an empty read model; its indexes are made when the rows are there."""
    helpdesk = Helpdesk(tickets, entries_each)
    async with asyncpg.create_pool(
        database_url, min_size=2, max_size=2, server_settings=SETTINGS
    ) as pool:
        async with _without_indexes(pool, "tickets", "entries", "history"):
            for first in range(1, tickets + 1, BATCH):
                rows, entries = helpdesk.rows(first, min(first + BATCH, tickets + 1))
                await pool.copy_records_to_table("tickets", records=rows, columns=TICKET_COLUMNS)
                await pool.copy_records_to_table("entries", records=entries, columns=ENTRY_COLUMNS)
        async with _without_indexes(pool, "texts"):
            await _fill_texts(pool, tickets)
        await pool.execute("VACUUM ANALYZE", timeout=None)


async def _fill_texts(pool: "asyncpg.Pool[asyncpg.Record]", tickets: int) -> None:
    """By the projector's own statement, as many at once as there are connections."""
    statement = KEEP_TEXTS_OF_TICKETS
    batches = iter(range(1, tickets + 1, BATCH))

    async def work() -> None:
        for first in batches:
            ids = list(range(first, min(first + BATCH, tickets + 1)))
            await pool.execute(statement.sql, *statement.arguments({"text_ticket": ids}))

    await asyncio.gather(work(), work())


@asynccontextmanager
async def _without_indexes(
    pool: "asyncpg.Pool[asyncpg.Record]", *tables: str
) -> AsyncIterator[None]:
    """All but the primary keys."""
    found = await pool.fetch(
        """
        SELECT indexname, indexdef FROM pg_indexes
        WHERE tablename = ANY($1) AND schemaname = 'public' AND indexname NOT LIKE '%_pkey'
        """,
        list(tables),
    )
    for row in found:
        await pool.execute(f"DROP INDEX {row['indexname']}")
    yield
    for row in found:
        await pool.execute(row["indexdef"], timeout=None)


@dataclass(frozen=True)
class Databases:
    """The gateway's databases of a server, by how many tickets are in them."""

    server_url: str

    def url(self, tickets: int) -> str:
        return f"{self.server_url.rpartition('/')[0]}/tickets_{tickets}"

    async def made(self, tickets: int) -> str:
        """The database with so many tickets; made when it is not there."""
        server = await asyncpg.connect(self.server_url)
        url, name = self.url(tickets), f"tickets_{tickets}"
        try:
            if await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                return url
            await server.execute(f"DROP DATABASE IF EXISTS {name}_new")  # of a run that was ended
            await server.execute(f"CREATE DATABASE {name}_new")
            await db.migrate(f"{url}_new", "gateway")
            await fill(f"{url}_new", tickets)
            await server.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
        finally:
            await server.close()
        return url


def main() -> None:
    folder, sizes = Path(sys.argv[1]), [int(each) for each in sys.argv[2:]] or SIZES
    folder.mkdir(parents=True, exist_ok=True)
    with postgres(folder) as server_url:
        for tickets in sizes:
            started = time.monotonic()
            asyncio.run(Databases(server_url).made(tickets))
            print(f"{tickets:,} tickets in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
