"""Starts the five services on this machine: for `make up`, for tests, for benchmarks."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from deskwire.errors import SetupError
from deskwire.services import SERVICES
from deskwire.settings import load

START_SECONDS = 60.0

Told = dict[str, Any]
"""Settings by name, for every service that has a field of it."""


@asynccontextmanager
async def one_process(told: Told, urls: Mapping[str, str]) -> AsyncIterator[None]:
    """Every service's own `running`, in one event loop."""
    async with AsyncExitStack() as stack:
        for service in SERVICES:
            say("starting", service.name)
            settings = load(
                service.module("settings").Settings,
                **told,
                database_url=urls[service.name],
                health_port=0,
            )
            await stack.enter_async_context(service.module("main").running(settings))
        yield


@asynccontextmanager
async def processes(told: Told, urls: Mapping[str, str]) -> AsyncIterator[None]:
    """Every service as a process of its own, as containers run them."""
    started = []
    try:
        for service in SERVICES:
            say("starting", service.name)
            started.append(await start(service.package, told, urls[service.name]))
        await _answering(int(told["port"]), started)
        yield
    finally:
        await _terminate(started)


async def start(package: str, told: Told, database_url: str) -> Process:
    values = told | {"database_url": database_url, "health_port": 0}
    told_by_environment = {
        f"DESKWIRE_{name.upper()}": written(value) for name, value in values.items()
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{package}.main",
        env=os.environ | told_by_environment,
        start_new_session=True,  # Ctrl-C is for this process, which then stops them in order
    )


async def _answering(port: int, started: list[Process]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not _listening(port):
            if any(process.returncode is not None for process in started):
                raise SetupError("a service ended at its start; its message is above")
            await asyncio.sleep(0.1)


async def _terminate(started: list[Process]) -> None:
    for process in started:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
    await asyncio.gather(*(process.wait() for process in started))


def written(value: object) -> str:
    """As an environment variable has it."""
    return value if isinstance(value, str) else json.dumps(value)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def maildir(path: Path) -> Path:
    for folder in ("tmp", "new", "cur"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    return path


def say(*words: str) -> None:
    print("deskwire:", *words, flush=True)
