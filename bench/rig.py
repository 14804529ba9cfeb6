"""What is measured, as it is run: `make up` in a folder of its own, with 100,000 tickets in it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import asyncpg

from deskwire import db
from deskwire.local import free_port
from deskwire.services import SERVICES
from deskwire.topology import QUEUES, listeners

ROOT = Path(__file__).parents[1]

EMITTED = "SELECT type, count(*) FROM outbox GROUP BY type"
HANDLED = "SELECT count(*) FROM inbox WHERE consumer = ANY($1)"


@dataclass(frozen=True)
class Rig:
    """A running Deskwire, and the databases beneath it."""

    pid: int
    port: int
    key: str
    var: Path
    started_in: float

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def database(self, service: str) -> str:
        password = (self.var / "postgres" / "password").read_text()
        port = (self.var / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()[3]
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/{service}"

    def memory(self) -> float:
        """MiB of our own processes: without PostgreSQL, RabbitMQ and their like."""
        return sum(rss(pid) for pid in _family(self.pid) if _is_python(pid)) / 1024

    async def query(self, service: str, sql: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database(service))
        try:
            return await connection.fetch(sql, *values, timeout=300)
        finally:
            await connection.close()

    def api(self, method: str, path: str, body: object, **headers: str) -> Any:
        """The answer's JSON."""
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request(
            f"{self.url}/api/v1{path}", json.dumps(body).encode(), sent, method=method
        )
        with urlopen(request, timeout=30) as answer:
            return json.load(answer)

    async def backlog(self) -> int:
        """Messages yet to be handled, each once for every queue that takes it. What is handled is
        counted first: with it was committed what follows."""
        queues = [queue.name for queue in QUEUES if not queue.requests]
        left = 0
        for service in SERVICES:
            left -= (await self.query(service.name, HANDLED, queues))[0]["count"]
        for service in SERVICES:
            for row in await self.query(service.name, EMITTED):
                left += row["count"] * len(listeners(row["type"], requests=False))
        return left

    async def settled(self, seconds: float) -> float:
        """How long it takes until nothing is on its way."""
        started = time.monotonic()
        async with asyncio.timeout(seconds):
            while await self.backlog():
                await asyncio.sleep(0.2)
        return time.monotonic() - started


@contextmanager
def running(var: Path, broker: str, **environment: object) -> Iterator[Rig]:
    """`make up` without make."""
    port = free_port()
    command = [sys.executable, str(ROOT / "deploy" / "embedded.py")]
    command += ["--port", str(port), "--var", str(var), "--broker", broker]
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | _variables(environment)
    )
    try:
        key = _key(process)
        yield Rig(process.pid, port, key, var, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _variables(environment: Mapping[str, object]) -> dict[str, str]:
    return {
        f"DESKWIRE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in environment.items()
    }


def _key(process: "subprocess.Popen[str]") -> str:
    """Read what it prints until it is ready."""
    assert process.stdout is not None
    key = ""
    for line in process.stdout:
        if found := re.match(r"key: (\S+)", line):
            key = found[1]
        if line.startswith("ready:"):
            return key
    raise SystemExit("bench: Deskwire did not start; its message is above")


async def fresh(server: str, name: str, package: str) -> str:
    """The URL of an empty database of a service."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    url = server.rpartition("/")[0] + f"/{name}"
    await db.migrate(url, package)
    return url


def _family(pid: int) -> list[int]:
    found = [pid]
    for member in found:
        with suppress(OSError):
            for thread in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (thread / "children").read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """Of the process and all that descend from it, those that have ended with them."""
    return sum(_cpu_ticks(member) for member in _family(pid)) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))
    return 0


def _is_python(pid: int) -> bool:
    with suppress(OSError):
        return "python" in Path(f"/proc/{pid}/comm").read_text()
    return False


def rss(pid: int) -> int:
    """KiB."""
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0
