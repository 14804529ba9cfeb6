"""Mails as files of a maildir, for trying out and for a mail server on the same machine."""

import asyncio
import os
from pathlib import Path

from deskwire.errors import SetupError
from notify_svc.domain.attempts import Result, Sent, Unreachable
from notify_svc.rendering.letter import Letter


class Maildir:
    """Its name makes a mail that is written twice one file."""

    handing_over = True

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        try:
            for folder in ("tmp", "new", "cur"):
                (self._path / folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SetupError(f"the maildir {path} cannot be used: {error.strerror}") from error

    def line(self) -> "Maildir":
        return self

    async def send(self, letter: Letter) -> Result:
        try:
            await asyncio.to_thread(self._write, letter)
        except OSError as error:
            return Unreachable(f"the maildir cannot be written: {error.strerror}")
        return Sent(f"new/{letter.name}")

    async def rest(self) -> None:
        """A folder needs none."""

    def _write(self, letter: Letter) -> None:
        draft = self._path / "tmp" / letter.name
        with draft.open("wb") as file:
            file.write(letter.content.replace(b"\r\n", b"\n"))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path / "new" / letter.name)
        folder = os.open(self._path / "new", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
