"""Raw mails, attachments and long texts: stored once, travelling by id (claim check).

A blob with a place belongs to the one write that the place was made for: when no row points at it
any more, none ever will, and it may be deleted. A blob without one is shared by all who put the
same bytes, and stays.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from deskwire.contracts.base import INLINE_TEXT_BYTES
from deskwire.contracts.mail import Body
from deskwire.errors import NotFound, SetupError

PREVIEW_CHARACTERS = 8 * 1024

CHUNK_BYTES = 256 * 1024
"""So much of a blob that is streamed is in memory."""

THREADS = 4
"""So many files are brought to the disk at the same time."""

S3_PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes as a part of an object."""


def fresh_place() -> str:
    """A place for what goes to ticket-svc with one write."""
    return f"{day_folder(datetime.now(UTC).date())}{uuid4().hex}"


def day_folder(day: date) -> str:
    """The fresh places of a day (UTC): ticket-svc looks there for what it was never told of."""
    return f"tickets/{day.isoformat()}/"


def handed_place() -> str:
    """A place for a mail that is handed in: it has no row yet."""
    return f"{raw_folder(datetime.now(UTC).date())}{uuid4().hex}"


def raw_folder(day: date) -> str:
    """Handed places of a day (UTC): mail-ingest-svc looks there for what became no mail."""
    return f"raw/{day.isoformat()}/"


def mail_place(mail_id: int) -> str:
    """The place for the parts of one mail. Mails that come together are in one folder, which is
    brought to the disk once for all of them."""
    return f"mails/{mail_id // 256 % 256:02x}/{mail_id}"


def raw_place(mail_id: int) -> str:
    """The place for a mail as it came."""
    return f"{mail_place(mail_id)}-raw"


def has_place(blob_id: str) -> bool:
    return "/" in blob_id


class Blobs:
    """Bytes by id. Whoever has got an id from here may name it in a message: it is durable."""

    def __init__(
        self, store: ObjectStore, folder: Path | None = None, *, part_bytes: int = CHUNK_BYTES
    ) -> None:
        self._store = store
        self._folder = folder
        self._part_bytes = part_bytes

    async def put(self, content: bytes, place: str = "") -> str:
        """The id is the sha256 of the content, behind the place if there is one."""
        (blob_id,) = await self.put_all([(content, place)])
        return blob_id

    async def put_all(self, contents: Sequence[tuple[bytes, str]]) -> list[str]:
        """Many at once, each with its place: a thread for each costs more than most contents do."""
        blob_ids = [_id(*each) for each in contents]
        stored = zip(blob_ids, contents, strict=True)
        await asyncio.gather(*(self._store.put_async(_path(id), each[0]) for id, each in stored))
        await self._keep(blob_ids)
        return blob_ids

    async def write(self, place: str, chunks: AsyncIterable[bytes]) -> str:
        """As `put`, a chunk at a time. When the chunks end in an error, nothing is stored."""
        with _blob_errors():
            async with obstore.open_writer_async(
                self._store, _path(place), buffer_size=self._part_bytes, max_concurrency=1
            ) as file:
                async for chunk in chunks:
                    await file.write(chunk)
        await self._keep([place])
        return place

    async def get(self, blob_id: str) -> bytes:
        try:
            found = await self._store.get_async(_path(blob_id))
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob {blob_id}") from error
        return bytes(await found.bytes_async())

    async def read(self, blob_id: str, within: range) -> AsyncIterator[bytes]:
        """The bytes of a range, a chunk at a time. Raises `NotFound` before the first."""
        try:
            found = await self._store.get_async(
                _path(blob_id), options={"range": (within.start, within.stop)} if within else {}
            )
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob {blob_id}") from error
        return aiter(found.stream(min_chunk_size=CHUNK_BYTES))

    async def delete(self, blob_id: str) -> None:
        """Also when it is gone already."""
        with suppress(FileNotFoundError):
            await self._store.delete_async(_path(blob_id))

    async def listed(self, folder: str) -> AsyncIterator[list[str]]:
        """The ids of all blobs with a place in the folder, many at a time."""
        async for found in self._store.list(folder, chunk_size=1000):
            yield [meta["path"] for meta in found]

    async def remove_unfinished(self, folder: str) -> None:
        """What killed processes left half written; S3 has a lifecycle rule for that."""
        if self._folder is not None:
            await asyncio.to_thread(_remove_unfinished, self._folder / folder)

    async def fold(self, body: Body, place: str) -> Body:
        """A body that is too large for a message becomes its beginning and a blob."""
        texts = (body.text, body.html or "", body.quoted, body.signature)
        if sum(len(text.encode()) for text in texts) <= INLINE_TEXT_BYTES:
            return body
        whole = json.dumps(body.model_dump(exclude={"blob_id"})).encode()
        blob_id = await self.put(whole, place)
        return Body(text=body.text[:PREVIEW_CHARACTERS], blob_id=blob_id)

    async def unfold(self, body: Body) -> Body:
        """The whole body again."""
        if body.blob_id is None:
            return body
        return Body.model_validate_json(await self.get(body.blob_id))

    async def _keep(self, blob_ids: Sequence[str]) -> None:
        if self._folder is None:
            return
        files = {self._folder / _path(blob_id) for blob_id in blob_ids}
        paths = sorted(files | {file.parent for file in files})
        shares = (paths[n::THREADS] for n in range(min(THREADS, len(paths))))
        with _blob_errors():
            await asyncio.gather(*(asyncio.to_thread(_to_disk, share) for share in shares))


def open_blobs(url: str) -> Blobs:
    """The store behind ``file://``, ``s3://`` or ``memory://``; obstore reads the AWS variables."""
    scheme, _, place = url.partition("://")
    if scheme == "memory":
        return Blobs(MemoryStore())
    if scheme == "file":
        return Blobs(_folder(Path(place)), Path(place))
    if scheme == "s3":
        return Blobs(from_url(url), part_bytes=S3_PART_BYTES)
    raise SetupError(f"DESKWIRE_BLOB_URL must begin with file://, s3:// or memory://, not {scheme}")


def _folder(path: Path) -> LocalStore:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"the blob folder {path} cannot be used: {error.strerror}") from error
    return LocalStore(str(path), automatic_cleanup=False, mkdir=True)


def _id(content: bytes, place: str) -> str:
    digest = sha256(content).hexdigest()
    return f"{place}-{digest}" if place else digest


def _to_disk(paths: Sequence[Path]) -> None:
    """The store renames files into their place without fsync: a power cut would take them."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _remove_unfinished(folder: Path) -> None:
    """The store writes to ``name#1`` first, which it never lists."""
    for left in folder.glob("*#*"):
        left.unlink(missing_ok=True)


def _path(blob_id: str) -> str:
    return blob_id if has_place(blob_id) else f"{blob_id[:2]}/{blob_id}"


BlobError = BaseError


@contextmanager
def _blob_errors() -> Iterator[None]:
    """A full disk is the store's error, however it comes: others take an `OSError` for the
    database's."""
    try:
        yield
    except OSError as error:
        raise BlobError(str(error)) from error


def why(error: BlobError) -> str:
    """The store's words, without the structures of its library."""
    return " ".join(str(error).partition("Debug source:")[0].split())
