"""Raw mails and attachments: stored once under their sha256, travelling by id (claim check)."""

import asyncio
import json
import os
from hashlib import sha256
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from deskwire.contracts.base import INLINE_TEXT_BYTES
from deskwire.contracts.mail import Body
from deskwire.errors import NotFound, SetupError

PREVIEW_CHARACTERS = 8 * 1024


class Blobs:
    """Bytes by id. The id is their sha256: the same bytes are kept once."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    async def put(self, content: bytes) -> str:
        """Durable when it returns: a message may name the blob."""
        blob_id = sha256(content).hexdigest()
        await self._store.put_async(_path(blob_id), content)
        if self._folder is not None:
            await asyncio.to_thread(_to_disk, self._folder / _path(blob_id))
        return blob_id

    async def get(self, blob_id: str) -> bytes:
        try:
            found = await self._store.get_async(_path(blob_id))
        except FileNotFoundError as error:
            raise NotFound(f"there is no blob {blob_id}") from error
        return bytes(await found.bytes_async())

    async def fold(self, body: Body) -> Body:
        """A body that is too large for a message becomes its beginning and a blob."""
        size = len(body.text.encode()) + len((body.html or "").encode())
        if size <= INLINE_TEXT_BYTES:
            return body
        blob_id = await self.put(json.dumps({"text": body.text, "html": body.html}).encode())
        return Body(text=body.text[:PREVIEW_CHARACTERS], html=None, blob_id=blob_id)

    async def unfold(self, body: Body) -> Body:
        """The whole body again."""
        if body.blob_id is None:
            return body
        whole = json.loads(await self.get(body.blob_id))
        return Body(text=whole["text"], html=whole["html"])


def open_blobs(url: str) -> Blobs:
    """The store behind ``file://``, ``s3://`` or ``memory://``; obstore reads the AWS variables."""
    scheme, _, place = url.partition("://")
    if scheme == "memory":
        return Blobs(MemoryStore())
    if scheme == "file":
        return Blobs(_folder(Path(place)), Path(place))
    if scheme == "s3":
        return Blobs(from_url(url))
    raise SetupError(f"DESKWIRE_BLOB_URL must begin with file://, s3:// or memory://, not {scheme}")


def _folder(path: Path) -> LocalStore:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SetupError(f"the blob folder {path} cannot be used: {error.strerror}") from error
    return LocalStore(str(path), automatic_cleanup=False, mkdir=True)


def _to_disk(path: Path) -> None:
    """The store renames files into their place without fsync: a power cut would take them."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _path(blob_id: str) -> str:
    return f"{blob_id[:2]}/{blob_id}"


BlobError = BaseError
