"""`make up` as a person uses it: it says how to go on, what it says works, and it goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deskwire.local import free_port

ROOT = Path(__file__).parents[1]


def command(port: int, var: Path) -> list[str]:
    script = str(ROOT / "deploy" / "embedded.py")
    return [sys.executable, script, "--port", str(port), "--var", str(var)]


@contextmanager
def up(port: int, var: Path) -> Iterator[list[str]]:
    """What it prints until it is ready; Ctrl-C ends it."""
    process = subprocess.Popen(command(port, var), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith("ready:"):
            break
    try:
        yield lines
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        process.stdout.close()
        assert process.wait(60) == 0
        assert rest == f"deskwire: stopped; the data stays in {var}\n"


def shell(line: str) -> str:
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout


def printed(lines: list[str]) -> list[str]:
    """The three commands to copy."""
    return [line.strip() for line in lines if line.startswith("  ")]


def eventually(line: str) -> dict[str, object]:
    """The ticket that a mail just became."""
    deadline = time.monotonic() + 20
    while True:
        answer: dict[str, object] = json.loads(shell(line) or "{}")
        if "id" in answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.1)


@pytest.fixture
def var(server_folder: Path, request: pytest.FixtureRequest) -> Path:
    return server_folder / f"up-{os.getpid()}-{request.node.name}"


def test_the_printed_commands_work_and_the_data_stays(var: Path) -> None:
    port = free_port()
    with up(port, var) as lines:
        key = next(line for line in lines if line.startswith("key: "))
        assert lines[-1] == f"ready: http://127.0.0.1:{port}"
        assert re.fullmatch(r"key: dw_\S+", key)
        drop, read, answer = printed(lines)
        shell(drop)
        ticket = eventually(read)
        assert ticket["subject"] == "The printer is on fire"
        assert json.loads(shell(answer))["body"]["text"] == "Water is on its way."
        outbox = var / "mail" / "outbox" / "new"
        deadline = time.monotonic() + 20
        while len(list(outbox.iterdir())) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        mails = [path.read_text() for path in outbox.iterdir()]
        assert sum("<alice@client.test>" in mail for mail in mails) == 2
        assert sum("team@example.com" in mail for mail in mails) == 1
    with up(port, var) as again:
        assert key in again
        assert json.loads(shell(read))["entry_count"] == 2
        drop, read, answer = printed(again)
        shell(drop)
        assert eventually(read)["reference"] == "TCK-2"
        checks = shell(f". {var}/env && {Path(sys.executable).parent}/deskwire doctor").splitlines()
        assert checks
        assert [check for check in checks if not check.startswith("ok ")] == []


def test_a_taken_port_gets_one_clear_line(var: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            command(port, var), capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"make up: port {port} is taken: stop what listens there, or choose one: make up PORT=8090"
    ]
    assert not var.exists()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--broker", "rabbit"], "--broker: rabbit is none of memory, rabbitmq and amqp://..."),
        (["--port", "80800"], "--port: 80800 is no port, which are 1 to 65535"),
    ],
)
def test_a_wrong_argument_gets_one_clear_line(var: Path, wrong: list[str], told: str) -> None:
    line = [*command(8080, var), *wrong]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"deskwire up: error: argument {told}"
