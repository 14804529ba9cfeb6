"""A private RabbitMQ node, with its own ports, cookie and port mapper."""

import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deskwire.local.processes import (
    LocalServerError,
    Process,
    clean_environment,
    free_port,
    last_words,
    locked,
    run,
)

_NODE = "deskwire@localhost"
_START_SECONDS = 120
_SMALL = "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1 -kernel inet_dist_use_interface {127,0,0,1}"
_CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
log.file.level = warning
"""
_ADD_VHOST = """\
ok = rabbit_vhost:add(<<"{name}">>, <<"local">>),
ok = rabbit_auth_backend_internal:set_permissions(
  <<"guest">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>, <<"local">>).
"""


@contextmanager
def rabbitmq(base: Path) -> Iterator["RabbitMQ"]:
    """A running node whose data stay in the folder."""
    base = base.absolute()
    if not rabbitmq_available():
        raise LocalServerError("no RabbitMQ on this machine: install rabbitmq-server")
    with locked(base):
        node = RabbitMQ(base)
        try:
            node.start()
            yield node
        finally:
            node.stop()
            node.close()


def rabbitmq_available() -> bool:
    return _script("rabbitmq-server") is not None and shutil.which("erl") is not None


def _script(name: str) -> str | None:
    """The real script: Debian's wrapper in the path would change the user and the folder."""
    direct = Path("/usr/lib/rabbitmq/bin") / name
    return str(direct) if direct.exists() else shutil.which(name)


class RabbitMQ:
    """One node on the same ports from its first start to its last stop."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._port = free_port()
        self._env = _prepared(base, self._port)
        self._mapper = self._port_mapper()
        self._node: Process | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        if self._node is not None:
            return
        # -noinput, and no signal-forwarding shell between us and the node
        command = [_script("rabbitmq-server") or "", "-noinput"]
        node = Process(command, log=self._base / "startup.log", env=self._env)
        self._node = node
        if not node.wait_until(self._answers, seconds=_START_SECONDS):
            self.kill()
            raise LocalServerError(f"RabbitMQ does not start: {last_words(node.log)}")

    def stop(self) -> None:
        if self._node is not None:
            self._node.stop(seconds=30)
            self._node = None

    def kill(self) -> None:
        if self._node is not None:
            self._node.kill()
            self._node = None

    def pause(self) -> None:
        """Alive for the kernel, silent for its clients."""
        if self._node is not None:
            self._node.signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._node is not None:
            self._node.signal(signal.SIGCONT)

    def ctl(self, *args: str) -> str:
        """What rabbitmqctl prints; it takes about a second."""
        return self._run([_script("rabbitmqctl") or "", "--quiet", *args])

    def vhost(self, name: str) -> str:
        """A new virtual host's URL, within milliseconds where Erlang's erl_call is installed."""
        code = _ADD_VHOST.format(name=name)
        if shutil.which("erl_call") is not None:
            self._run(["erl_call", "-sname", _NODE, "-e"], text=code)
        else:
            self.ctl("eval", code)
        return self.url + name

    def close(self) -> None:
        self._mapper.kill()

    def _run(self, command: list[str], text: str | None = None) -> str:
        done = run(command, text=text, env=self._env)
        if done.returncode != 0 or "{error," in done.stdout:
            reason = " ".join((done.stderr or done.stdout).split())
            raise LocalServerError(f"{Path(command[0]).name} failed: {reason}")
        return done.stdout

    def _port_mapper(self) -> Process:
        """In the foreground, before Erlang starts one that would outlive the node."""
        command = ["epmd", "-port", self._env["ERL_EPMD_PORT"], "-address", "127.0.0.1"]
        return Process(command, log=self._base / "epmd.log")

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as client:
                client.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(client.recv(1))
        except OSError:
            return False


def _prepared(base: Path, port: int) -> dict[str, str]:
    _keep_cookie(base / ".erlang.cookie")
    (base / "plugins").write_text("[].\n")
    (base / "rabbitmq.conf").write_text(_CONFIG.format(port=port))
    return clean_environment("RABBITMQ_", "ERL_", "NOTIFY_SOCKET") | {
        "HOME": str(base),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_CTL_DIST_PORT_MAX": "0",
        "RABBITMQ_CTL_DIST_PORT_MIN": "0",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "plugins"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
        "RABBITMQ_NODENAME": _NODE,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _SMALL,
    }


def _keep_cookie(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16))
        path.chmod(0o400)
