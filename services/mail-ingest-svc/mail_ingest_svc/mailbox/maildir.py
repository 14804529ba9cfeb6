"""A maildir that mails are dropped into: https://cr.yp.to/proto/maildir.html"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mail_ingest_svc.domain import Listed
from mail_ingest_svc.mailbox.port import Fetched, MailboxAway, NotFetched, NotMoved
from mail_ingest_svc.parse.headers import MAX_BLOCK, headers_alone

TICK_SECONDS = 0.01
SETTLE_NS = 10_000_000
"""A file changed more recently may still be being written, by who knows no better than `cp`."""

EMPTY_NS = 2_000_000_000
"""An empty file is left alone for so long: its content is probably on the way."""

CLOCK_NS = 100_000_000
"""Within so little time a folder may change twice and show the same time of change."""


class MaildirMailbox:
    """Reads ``new/``. A mail's UID is its file's name and time: people drop the same name again."""

    folder = "new"
    uidvalidity = 0
    oauth: str | None = None

    def __init__(self, path: Path, processed: str) -> None:
        self.name = str(path)
        self.processed = processed
        self._path = path
        self._new = path / "new"
        self._names: dict[str, str] = {}
        self._scanned = -1
        self.settled = True
        self._stopped = threading.Event()

    def open(self, token: str | None) -> None:  # noqa: ARG002  # folders need no login
        try:
            _make_maildir(self._path)
        except OSError as error:
            raise MailboxAway(f"cannot be used: {error.strerror}") from error
        self.rewind()

    def close(self) -> None:
        self._names.clear()

    def rewind(self) -> None:
        self._scanned = -1

    def listing(self) -> list[Listed]:
        now = time.time_ns()
        changed = self._changed_at()
        self._scanned = changed if now - changed > CLOCK_NS else -1
        self.settled = True
        found = sorted(self._files(now), key=lambda found: found[:2])
        self._names = {mail.uid: name for _, name, mail in found}
        return [mail for _, _, mail in found]

    def _files(self, now: int) -> Iterator[tuple[int, str, Listed]]:
        for entry in os.scandir(self._new):
            if entry.name.startswith(".") or not entry.is_file():
                continue
            status = entry.stat()
            age = now - status.st_mtime_ns
            if 0 <= age < (SETTLE_NS if status.st_size else EMPTY_NS):
                self.rewind()
                self.settled = False
                continue
            name = entry.name.encode("utf-8", "backslashreplace").decode()
            uid = f"{name}/{status.st_mtime_ns}"
            yield status.st_mtime_ns, entry.name, Listed(uid, status.st_size)

    def fetch(self, mails: Sequence[Listed]) -> Fetched:
        return self._read_all(mails, Path.read_bytes)

    def fetch_headers(self, mails: Sequence[Listed]) -> Fetched:
        return self._read_all(mails, _read_headers)

    def _read_all(self, mails: Sequence[Listed], read: Callable[[Path], bytes]) -> Fetched:
        fetched: dict[str, bytes | NotFetched] = {}
        for mail in mails:
            try:
                fetched[mail.uid] = read(self._new / self._names[mail.uid])
            except FileNotFoundError:
                continue
            except OSError as error:
                fetched[mail.uid] = NotFetched(f"cannot be read: {error.strerror}")
        return fetched

    def move(self, mails: Sequence[Listed], folder: str) -> None:
        target = self._path / f".{folder}"
        try:
            _make_maildir(target)
            for mail in mails:
                self._move_file(self._names[mail.uid], mail.uid, target / "cur")
        except OSError as error:
            raise NotMoved(f"not moved to {target}: {error.strerror}") from error

    def _move_file(self, name: str, uid: str, target: Path) -> None:
        place = target / (name if ":2," in name else f"{name}:2,")
        if place.exists():
            place = target / f"{uid.rpartition('/')[2]}.{place.name}"
        try:
            (self._new / name).rename(place)
        except FileNotFoundError:
            return

    def wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopped.wait(TICK_SECONDS):
            if self._changed_at() != self._scanned:
                return

    def interrupt(self) -> None:
        self._stopped.set()

    def _changed_at(self) -> int:
        try:
            return self._new.stat().st_mtime_ns
        except OSError as error:
            raise MailboxAway(f"cannot be read: {error.strerror}") from error


def _make_maildir(path: Path) -> None:
    for folder in ("tmp", "new", "cur"):
        (path / folder).mkdir(parents=True, exist_ok=True)


def _read_headers(path: Path) -> bytes:
    with path.open("rb") as file:
        return headers_alone(file.read(MAX_BLOCK))
