"""What a million tickets cost beside ten thousand: the same requests to both, in turns, one by one.

    python -m bench.scale [FOLDER] [SMALL LARGE]

Databases that are not in FOLDER yet are made first, by `bench.data`.
"""

import asyncio
import http.client
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote

import orjson
from rich.console import Console
from rich.table import Table

from bench.data import SIZES, Databases, Helpdesk
from bench.rig import ROOT, rss
from deskwire import db
from deskwire.local import free_port, postgres
from gateway.keys import create_key

ROUNDS = 200
SEARCHES = 300
DEEP_PAGE = 1_000
EXPORTED = 100_000
CLIENT = 5
TIMES = "created_after=2025-12-01T00:00:00Z&created_before=2025-12-08T00:00:00Z"
FILTERS = (
    "status=open", "status=closed", "priority=high", "source=portal", "source=schedule",
    "assigned_to=3", "assigned_to=99", "assigned_to=none", "contact_id=40", "asset_id=7",
    "tag=tag0", "tag=tag50", "category=phone", TIMES, "updated_after=2025-12-30T00:00:00Z",
    "sort=-priority", "sort=status", "sort=updated_at&status=open,working", "total=true",
    f"client_id={CLIENT}&priority=high", "assigned_to=2&category=network",
    "status=hold&client_id=99",
)  # fmt: skip
NARROW = ("assigned_to=99", "asset_id=7", "created_before=2021-06-01T00:00:00Z")
"""With the most frequent word."""


@dataclass
class Gateway:
    """A gateway as a process of its own, and one connection to it."""

    tickets: int
    pid: int
    key: str
    connection: http.client.HTTPConnection

    def get(self, path: str) -> tuple[float, bytes]:
        """Milliseconds, and the body."""
        started = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.key}"}
        self.connection.request("GET", f"/api/v1{path}", headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, body)
        return (time.perf_counter() - started) * 1000, body

    def cursor(self, pages: int) -> str:
        """Behind so many pages, or behind half of them all when there are less."""
        cursor = ""
        for _ in range(min(pages, self.tickets // 100)):
            _, body = self.get(f"/tickets?limit=50{cursor}")
            cursor = f"&cursor={orjson.loads(body)['next_cursor']}"
        return cursor


@contextmanager
def gateway(url: str, tickets: int) -> Iterator[Gateway]:
    port, key = free_port(), asyncio.run(_prepare(url))
    environment = {
        "DESKWIRE_DATABASE_URL": url,
        "DESKWIRE_BROKER_URL": "memory://scale",
        "DESKWIRE_BLOB_URL": "memory://",
        "DESKWIRE_PORT": str(port),
        "DESKWIRE_HEALTH_PORT": "0",
    }
    command = [sys.executable, "-m", "gateway.main"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        yield Gateway(tickets, process.pid, key, _connected(port))
    finally:
        process.terminate()
        process.wait(30)


async def _prepare(url: str) -> str:
    """A key; and the records that a running gateway would have been told of."""
    async with db.connect(url, size=1) as database:
        await database.pool.execute(
            """
            INSERT INTO records (kind, id, client_id, version, doc)
            VALUES ('settings', 1, NULL, 1, '{}'), ('client', $1, $1, 1, '{}')
            ON CONFLICT DO NOTHING
            """,
            CLIENT,
        )
        return await create_key(database, "bench", scopes=["admin"])


def _connected(port: int) -> http.client.HTTPConnection:
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with suppress(OSError):
            connection.connect()
            return connection
        time.sleep(0.1)
    raise SystemExit("bench: the gateway does not start")


@dataclass(frozen=True)
class Row:
    name: str
    small: float
    large: float
    at_most: float | None = None

    @property
    def ratio(self) -> float:
        return self.large / self.small


def measured(gateways: Sequence[Gateway]) -> Iterator[Row]:
    deep = [gateway.cursor(DEEP_PAGE) for gateway in gateways]
    yield _row("first page", gateways, ["/tickets?limit=50"] * 2, 1.5)
    yield _row("deep page", gateways, [f"/tickets?limit=50{each}" for each in deep], 1.5)
    yield _row("a client's page", gateways, [f"/clients/{CLIENT}/tickets?limit=50"] * 2, 1.5)
    yield _row("single read", gateways, ["/tickets/4711"] * 2, 1.5)
    yield _searches(gateways)
    for query in FILTERS:
        yield _row(query, gateways, [f"/tickets?limit=50&{query}"] * 2)
    frequent = Helpdesk(1, 1).words.values[0]
    for query in NARROW:
        yield _row(f"search, {query}", gateways, [f"/tickets?limit=50&q={frequent}&{query}"] * 2)


def _row(
    name: str, gateways: Sequence[Gateway], paths: Sequence[str], at_most: float | None = None
) -> Row:
    took = _in_turns(gateways, [paths] * (ROUNDS if at_most else ROUNDS // 4))
    return Row(name, median(took[0]), median(took[1]), at_most)


def _searches(gateways: Sequence[Gateway]) -> Row:
    words = Helpdesk(1, 1).words
    rng = random.Random(2)
    rare = words.values[100:]
    looked_for = [_query(rng, words.some(rng, 2), rng.choice(rare)) for _ in range(SEARCHES)]
    took = _in_turns(gateways, [[f"/tickets?limit=50&q={quote(q)}"] * 2 for q in looked_for])
    small, large = (quantiles(each, n=20)[18] for each in took)
    name = f"search p95 (p50 {median(took[0]):.1f}, {median(took[1]):.1f})"
    return Row(name, small, large, 3.0)


def _query(rng: random.Random, words: Sequence[str], rare: str) -> str:
    """As people ask: a word, two, a phrase, the beginning of a word, one word without another,
    which is none of those that are in every text."""
    one, two = words
    return rng.choice((one, one, f"{one} {two}", f'"{one} {two}"', one[:4], f"{one} -{rare}"))


def _in_turns(
    gateways: Sequence[Gateway], rounds: Sequence[Sequence[str]]
) -> Sequence[Sequence[float]]:
    took: list[list[float]] = [[] for _ in gateways]
    for paths in rounds:
        for times, gateway, path in zip(took, gateways, paths, strict=True):
            times.append(gateway.get(path)[0])
    return took


def exported(gateway: Gateway) -> Mapping[str, float]:
    """How much memory the process has more than before, at most, while 100,000 rows go out."""
    before, most, rows, started = rss(gateway.pid), 0, 0, time.monotonic()
    headers = {"Authorization": f"Bearer {gateway.key}"}
    gateway.connection.request("GET", "/api/v1/tickets/export.csv?sort=number", headers=headers)
    answer = gateway.connection.getresponse()
    while rows < EXPORTED and (part := answer.read(65_536)):
        rows += part.count(b"\r\n")
        most = max(most, rss(gateway.pid))
    gateway.connection.close()
    return {
        "rows": rows,
        "seconds": time.monotonic() - started,
        "MiB before": before / 1024,
        "MiB at most": most / 1024,
    }


def main() -> None:
    arguments = sys.argv[1:]
    folder = Path(arguments[0]) if arguments else ROOT / "var" / "bench"
    sizes = [int(each) for each in arguments[1:]] or SIZES
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        databases = Databases(stack.enter_context(postgres(folder)))
        urls = [asyncio.run(databases.made(size)) for size in sizes]
        gateways = [
            stack.enter_context(gateway(url, size)) for url, size in zip(urls, sizes, strict=True)
        ]
        table = Table("p50, ms", *(f"{size:,}" for size in sizes), "ratio", "wanted")
        for row in measured(gateways):
            print(f"bench: {row.name}: {row.small:.2f} ms, {row.large:.2f} ms", flush=True)
            wanted = f"<= {row.at_most:g}" if row.at_most else ""
            cells = (f"{row.small:.2f}", f"{row.large:.2f}", f"{row.ratio:.2f}", wanted)
            table.add_row(row.name, *cells)
        Console(width=130).print(table)
        print("bench: export:", {k: round(v, 1) for k, v in exported(gateways[-1]).items()})


if __name__ == "__main__":
    main()
