"""`make up`: the whole of Deskwire on one machine, on nothing but what the checkout installs.

The five services run as they do everywhere else, through their own ``running(settings)``; only the
URLs differ: a PostgreSQL of its own, ``memory://``, maildirs and a folder of blobs, all under VAR.
"""

import argparse
import fcntl
import os
import secrets
import shlex
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
)
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import uvloop
from demo import load_demo
from launching import Told, maildir, one_process, processes, say, written

from deskwire import db, local, logs
from deskwire.errors import DeskwireError, SetupError
from deskwire.service import until_signalled
from deskwire.services import SERVICES


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
    told = _told(_defaults(var, port))
    say("starting PostgreSQL")
    with _postgres(var / "postgres") as server, _broker(broker, var, told):
        urls = uvloop.run(_databases(server))
        _keep_environment(var / "env", told, server)
        running = one_process if broker == "memory" else processes
        uvloop.run(until_signalled("embedded", _with_demo(running(told, urls), var, told, urls)))
    say("stopped; the data stays in", str(var))


def _keep_environment(path: Path, told: Told, server: str) -> None:
    """What `deskwire doctor` and its like need to be told, for `. var/env`."""
    values = told | {"database_url": f"{server.rpartition('/')[0]}/{{service}}"}
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"export DESKWIRE_{name.upper()}={shlex.quote(written(value))}\n"
            for name, value in values.items()
        )
    )


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    """While it starts, what the services are made of is loaded: each takes seconds."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        server = pool.submit(stack.enter_context, local.postgres(folder))
        import_module("deskwire.migrations.runner")
        for service in SERVICES:
            service.module("main")
        yield server.result()


@asynccontextmanager
async def _with_demo(
    running: AbstractAsyncContextManager[object],
    var: Path,
    told: Told,
    urls: Mapping[str, str],
) -> AsyncIterator[None]:
    async with running:
        await load_demo(var, told, urls)
        yield


@contextmanager
def _broker(broker: str, var: Path, told: Told) -> Iterator[None]:
    """``rabbitmq`` is a private node of this run; at any RabbitMQ the topology is declared."""
    with ExitStack() as stack:
        if broker == "rabbitmq":
            say("starting RabbitMQ")
            told["broker_url"] = stack.enter_context(local.rabbitmq(var / "rabbitmq")).url
        elif broker != "memory":
            told["broker_url"] = broker
        if not told["broker_url"].startswith("memory:"):
            uvloop.run(_apply_topology(told["broker_url"]))
        yield


async def _apply_topology(url: str) -> None:
    from deskwire.messaging.rabbit import apply_topology  # memory:// needs no aio-pika

    try:
        await apply_topology(url)
    except OSError as error:
        raise SetupError(
            f"RabbitMQ at {urlsplit(url).hostname} cannot be reached: {error}"
        ) from error


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


def _defaults(var: Path, port: int) -> Told:
    inbox, outbox = maildir(var / "mail" / "inbox"), maildir(var / "mail" / "outbox")
    return {
        "broker_url": "memory://embedded",
        "blob_url": f"file://{var / 'blobs'}",
        "mailboxes": [f"maildir:{inbox}"],
        "smtp_url": f"maildir:{outbox}",
        "mail_from": "support@example.com",
        "mail_from_name": "Example Support",
        "mail_domain": "example.com",
        "signing_key": _kept_secret(var / "signing-key"),
        "link_key": _kept_secret(var / "link-key"),
        "host": "127.0.0.1",
        "port": port,
        "public_url": f"http://127.0.0.1:{port}",
    }


def _told(defaults: Told) -> Told:
    """The defaults that the environment does not override, and its word for what we need."""
    told = {}
    for name, value in defaults.items():
        variable = f"DESKWIRE_{name.upper()}"
        if variable in os.environ and name in ("broker_url", "port"):
            told[name] = os.environ[variable]
        elif variable not in os.environ and f"{variable}_FILE" not in os.environ:
            told[name] = value
    return told


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="deskwire up")
    parser.add_argument("--port", type=_port, default=os.environ.get("PORT", "8080"))
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("VAR", "var")))
    parser.add_argument("--broker", type=_broker_name, default=os.environ.get("BROKER", "memory"))
    return parser.parse_args()


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text} is no port, which are 1 to 65535")
    return int(text)


def _broker_name(text: str) -> str:
    if text in ("memory", "rabbitmq") or text.startswith(("amqp://", "amqps://")):
        return text
    raise argparse.ArgumentTypeError(f"{text} is none of memory, rabbitmq and amqp://...")


if __name__ == "__main__":
    main()
