"""`deskwire mail import` and `pipe`: mails that no mailbox brings, into the ledger."""

import asyncio
import mailbox
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from deskwire.cli.app import reason
from deskwire.cli.environment import blob_url, database_url, opened
from deskwire.cli.output import say
from deskwire.errors import SetupError
from deskwire.services import MAIL_INGEST_SVC

EX_DATAERR, EX_NOINPUT, EX_TEMPFAIL = 65, 66, 75
"""Of sysexits.h: a mail server sends the mail back, or tries again later."""

BATCH_MAILS = 50
BATCH_BYTES = 10 * 1024 * 1024

Name = Annotated[
    str, typer.Option("--mailbox", metavar="NAME", help="What the ledger calls where it came from.")
]


def import_(places: list[Path], *, name: Name = "import") -> None:
    """Mails from files, mbox files, maildirs and folders of files. Run again it goes on."""
    missing = [str(place) for place in places if not place.exists()]
    if missing:
        raise SetupError(f"there is no {', '.join(missing)}")
    taken, known = asyncio.run(_import(places, name))
    say(f"{taken} mails are in the ledger, {known} were there before")


def pipe(*, name: Name = "pipe", max_bytes: int = 50 * 1024 * 1024) -> None:
    """One mail on standard input, from a mail server's alias. It exits with 0 once the mail is in
    the ledger, with 75 for the server to try again, with 65 or 66 for what is no mail to take."""
    raw = sys.stdin.buffer.read(max_bytes + 1)
    if not raw.strip():
        _fail(EX_NOINPUT, "there is no mail on standard input")
    if len(raw) > max_bytes:
        _fail(EX_DATAERR, f"the mail is larger than {max_bytes} bytes")
    try:
        asyncio.run(_pipe(raw, name))
    except Exception as error:  # whatever it is, the server keeps the mail
        _fail(EX_TEMPFAIL, reason(error))


def _fail(code: int, words: str) -> None:
    sys.stderr.write(f"deskwire: {words}\n")
    raise SystemExit(code)


async def _pipe(raw: bytes, name: str) -> None:
    handing = MAIL_INGEST_SVC.module("mailbox.handing")
    async with _reception() as hand_in:
        await hand_in([handing.Handed.delivered(raw, name)])


async def _import(places: Iterable[Path], name: str) -> tuple[int, int]:
    handing = MAIL_INGEST_SVC.module("mailbox.handing")
    taken = known = 0
    async with _reception() as hand_in:
        for batch in _batches(raw for place in places for raw in mails_of(place)):
            added = await hand_in([handing.Handed.imported(raw, name) for raw in batch])
            taken, known = taken + added, known + len(batch) - added
    return taken, known


@asynccontextmanager
async def _reception() -> AsyncIterator[Any]:
    from deskwire.blobs import open_blobs

    handing, blobs = MAIL_INGEST_SVC.module("mailbox.handing"), open_blobs(blob_url())
    async with opened(MAIL_INGEST_SVC, database_url(MAIL_INGEST_SVC)) as database:

        async def hand_in(mails: list[Any]) -> Any:
            return await handing.hand_in(database, blobs, mails)

        yield hand_in


def _batches(mails: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for raw in mails:
        batch.append(raw)
        size += len(raw)
        if len(batch) == BATCH_MAILS or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def mails_of(place: Path) -> Iterator[bytes]:
    """Each file of a folder, whatever its name; what a maildir has not delivered yet is left."""
    if not place.is_dir():
        yield from _mails_of_file(place)
        return
    for entry in sorted(place.iterdir()):
        is_draft = entry.name == "tmp" and (place / "new").is_dir()
        if not is_draft and (entry.is_dir() or entry.is_file()):
            yield from mails_of(entry)


def _mails_of_file(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        is_mbox = file.read(5) == b"From "
    if not is_mbox:
        if raw := path.read_bytes():
            yield raw
        return
    box = mailbox.mbox(path, create=False)
    try:
        for key in box.iterkeys():
            yield box.get_bytes(key)
    finally:
        box.close()
