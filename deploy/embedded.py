"""`make up`: the whole of Deskwire on one machine, on nothing but what the checkout installs.

The five services run as they do everywhere else, through their own ``running(settings)``; only the
URLs differ: a PostgreSQL of its own, ``memory://``, maildirs and a folder of blobs, all under VAR.
"""

import argparse
import asyncio
import fcntl
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import uvloop
from demo import load_demo
from deskwire.services import SERVICES

from deskwire import db, local, logs
from deskwire.errors import DeskwireError, SetupError
from deskwire.service import until_signalled

START_SECONDS = 60.0


def main() -> None:
    arguments = _arguments()
    os.environ.setdefault("DESKWIRE_LOG_LEVEL", "WARNING")
    logs.configure("embedded", os.environ["DESKWIRE_LOG_LEVEL"])
    try:
        _require_free_port(arguments.port)
        with _locked(arguments.var.resolve()) as var:
            _run(arguments.port, var, arguments.broker)
    except (DeskwireError, local.LocalServerError) as error:
        print(f"make up: {error}", file=sys.stderr)
        raise SystemExit(1) from None


def _run(port: int, var: Path, broker: str) -> None:
    say("starting PostgreSQL")
    with local.postgres(var / "postgres") as server:
        urls = uvloop.run(_databases(server))
        defaults = _defaults(var, port)
        if broker == "memory":
            uvloop.run(_in_one_process(defaults, urls))
        else:
            with _rabbitmq(broker, var) as broker_url:
                uvloop.run(_as_processes(defaults | {"BROKER_URL": broker_url}, urls))
    say("stopped; the data stays in", str(var))


async def _in_one_process(defaults: Mapping[str, str], urls: Mapping[str, str]) -> None:
    await until_signalled("embedded", _all_services(defaults, urls))


@asynccontextmanager
async def _all_services(
    defaults: Mapping[str, str], urls: Mapping[str, str]
) -> AsyncIterator[None]:
    """Every service's own `running`, in one event loop."""
    async with AsyncExitStack() as stack:
        with _environment(defaults):
            for service in SERVICES:
                say("starting", service.name)
                main_module = import_module(f"{service.package}.main")
                settings = import_module(f"{service.package}.settings").Settings(
                    database_url=urls[service.name], health_port=0
                )
                await stack.enter_async_context(main_module.running(settings))
            await load_demo(defaults, urls)
        yield


async def _as_processes(defaults: Mapping[str, str], urls: Mapping[str, str]) -> None:
    await until_signalled("embedded", _all_processes(defaults, urls))


@asynccontextmanager
async def _all_processes(
    defaults: Mapping[str, str], urls: Mapping[str, str]
) -> AsyncIterator[None]:
    """Every service as a process of its own, as containers run them."""
    processes = []
    with _environment(defaults):
        for service in SERVICES:
            say("starting", service.name)
            environment = os.environ | {
                "DESKWIRE_DATABASE_URL": urls[service.name],
                "DESKWIRE_HEALTH_PORT": "0",
            }
            processes.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    f"{service.package}.main",
                    env=environment,
                    start_new_session=True,
                )
            )
        try:
            await _answering(int(os.environ["DESKWIRE_PORT"]), processes)
            await load_demo(defaults, urls)
            yield
        finally:
            await _terminate(processes)


async def _answering(port: int, processes: list[asyncio.subprocess.Process]) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not _listening(port):
            if any(process.returncode is not None for process in processes):
                raise SetupError("a service ended at its start; its message is above")
            await asyncio.sleep(0.1)


async def _terminate(processes: list[asyncio.subprocess.Process]) -> None:
    for process in processes:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
    await asyncio.gather(*(process.wait() for process in processes))


@contextmanager
def _rabbitmq(broker: str, var: Path) -> Iterator[str]:
    """The topology is applied to the broker at a URL, or to a private node of this run."""
    if broker != "rabbitmq":
        uvloop.run(_apply_topology(broker))
        yield broker
        return
    say("starting RabbitMQ")
    with local.rabbitmq(var / "rabbitmq") as node:
        uvloop.run(_apply_topology(node.url))
        yield node.url


async def _apply_topology(url: str) -> None:
    from deskwire.messaging.rabbit import apply_topology  # memory:// needs no aio-pika

    try:
        await apply_topology(url)
    except OSError as error:
        place = urlsplit(url).hostname
        raise SetupError(f"RabbitMQ at {place} cannot be reached: {error}") from error


async def _databases(server: str) -> dict[str, str]:
    """One database a service, at the newest schema."""
    urls = {service.name: server.rpartition("/")[0] + f"/{service.name}" for service in SERVICES}
    connection = await asyncpg.connect(server)
    try:
        there = {
            row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")
        }
        for name in urls.keys() - there:
            await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    say("preparing", str(len(urls)), "databases")
    for service in SERVICES:
        await db.migrate(urls[service.name], service.package)
    return urls


def _defaults(var: Path, port: int) -> dict[str, str]:
    """What the services are told unless the environment says otherwise."""
    inbox, outbox = _maildir(var / "mail" / "inbox"), _maildir(var / "mail" / "outbox")
    return {
        "BROKER_URL": "memory://embedded",
        "BLOB_URL": f"file://{var / 'blobs'}",
        "MAILBOXES": f'["maildir:{inbox}"]',
        "SMTP_URL": f"maildir:{outbox}",
        "MAIL_FROM": "support@example.com",
        "MAIL_FROM_NAME": "Example Support",
        "MAIL_DOMAIN": "example.com",
        "SIGNING_KEY": _kept_secret(var / "signing-key"),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "VAR": str(var),
    }


@contextmanager
def _environment(defaults: Mapping[str, str]) -> Iterator[None]:
    for name, value in defaults.items():
        if f"DESKWIRE_{name}_FILE" not in os.environ:
            os.environ.setdefault(f"DESKWIRE_{name}", value)
    yield


def _maildir(path: Path) -> Path:
    for folder in ("tmp", "new", "cur"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    return path


def _kept_secret(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()


@contextmanager
def _locked(var: Path) -> Iterator[Path]:
    """VAR belongs to one run at a time."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        lock = (var / "lock").open("w")
    except OSError as error:
        raise SetupError(f"{var} cannot be used: {error.strerror}; choose VAR=") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SetupError(f"{var} is in use by another `make up`; choose VAR=") from None
        yield var


def _require_free_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise SetupError(
                f"port {port} is taken: stop what listens there, or choose one: make up PORT=8090"
            ) from None


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deskwire up")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")))
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR", "var")))
    parser.add_argument("--broker", default=os.environ.get("BROKER", "memory"))
    return parser.parse_args()


def say(*words: str) -> None:
    print("deskwire:", *words, flush=True)


if __name__ == "__main__":
    main()
