"""What the private servers share: ports, folders, accounts, and processes that die with us."""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deskwire.errors import SetupError

POLL_SECONDS = 0.02


class LocalServerError(SetupError):
    """A private server cannot be started."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder is ours until the end, or until this process dies in whatever way."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalServerError(
                f"{folder} is in use by another run: stop that one first"
            ) from None
        yield


@contextmanager
def socket_folder(account: "Account") -> Iterator[Path]:
    """A path short enough for Unix sockets, which end at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="dw-", dir="/tmp") as folder:  # TMPDIR may be long
        account.own(Path(folder))
        yield Path(folder)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as, and the command words that make it so."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def account(*needed: Path, uid: int | None = None) -> Account:
    """Ourselves; as root an unprivileged account that can reach all the needed paths."""
    if os.geteuid() != 0:
        return Account(os.getuid(), os.getgid())
    if shutil.which("setpriv") is None:
        raise LocalServerError("as root this needs setpriv: install util-linux")
    person = _unprivileged(uid)
    for prefix in _prefixes(person.pw_uid, person.pw_gid):
        if all(_reaches(prefix, path) for path in needed):
            return Account(person.pw_uid, person.pw_gid, prefix)
    paths = " and ".join(map(str, needed))
    raise LocalServerError(f"the user {person.pw_name} cannot enter {paths}: open these folders")


def _unprivileged(uid: int | None) -> pwd.struct_passwd:
    if uid:
        with suppress(KeyError):
            return pwd.getpwuid(uid)
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _prefixes(uid: int, gid: int) -> Iterator[tuple[str, ...]]:
    plain = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups")
    yield plain
    for capability in ("dac_read_search", "dac_override"):  # containers often lack the first
        kept = (f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")
        yield (*plain, *kept, "--securebits=+no_setuid_fixup")  # else access(2) looks without it


def _reaches(prefix: Sequence[str], path: Path) -> bool:
    probe = [*prefix, "stat", "--", str(path / "." if path.is_dir() else path)]
    return run(probe).returncode == 0


def run(
    command: Sequence[str],
    *,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
) -> subprocess.CompletedProcess[str]:
    """To its end, with its output as text."""
    return subprocess.run(  # noqa: S603 (the servers' own programs)
        command, input=text, env=env, cwd=cwd, capture_output=True, text=True, check=False
    )


class Process:
    """A server in a session of its own, with a guardian that ends it when we are killed."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        stop: signal.Signals = signal.SIGTERM,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        self._stop = stop
        self._child = _spawn(command, log, env)
        self._guardian = _guard(self._child.pid, stop)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def stop(self, *, seconds: float = 20) -> None:
        """Ask, wait, then insist."""
        if self.running:
            self._child.send_signal(self._stop)
            self.signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)
        self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._child.wait()
        self._guardian.kill()
        self._guardian.communicate()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> bool:
        """Whether it became ready before it ended or the time was over."""
        deadline = time.monotonic() + seconds
        while self.running and time.monotonic() < deadline:
            if ready():
                return True
            time.sleep(POLL_SECONDS)
        return False


def _spawn(
    command: Sequence[str], log: Path, env: Mapping[str, str] | None
) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 (the servers' own programs)
            command,
            cwd="/",
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


# The end of our side of the pipe is the one sign of our death that needs no thread and no
# privilege: a parent-death signal is lost when setpriv changes the user.
_GUARDIAN = """
read -r _
kill -s "$1" "$2"; kill -s CONT -- "-$2"
for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$2" || break; sleep 1; done
kill -s KILL -- "-$2"
"""


def _guard(pid: int, stop: signal.Signals) -> subprocess.Popen[bytes]:
    name = stop.name.removeprefix("SIG")
    return subprocess.Popen(  # noqa: S603 (nothing of it comes from outside)
        ["/bin/sh", "-c", _GUARDIAN, "guardian", name, str(pid)],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def clean_environment(*prefixes: str) -> dict[str, str]:
    """Our environment without what would steer the server elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


def last_words(log: Path) -> str:
    """The most telling line of a log: the last that speaks of an error, else the last."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "rror" in line]
    return (telling or lines or ["it wrote no log"])[-1]
