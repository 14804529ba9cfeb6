"""A file as it comes in: the body itself, or the one file of a form. Little of it is in memory."""

from collections.abc import AsyncIterator
from email.message import Message
from email.utils import collapse_rfc2231_value
from hashlib import sha256
from typing import Any

from fastapi import Request
from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from starlette.requests import ClientDisconnect

from deskwire.errors import Invalid
from deskwire.filenames import safe_name
from deskwire.filetypes import HEAD_BYTES, sniffed
from gateway.api.errors import Malformed, TooLarge

UPLOAD_BYTES = 25 * 1024 * 1024
FRAME_BYTES = 64 * 1024
"""So much of a form may be around its file."""

HEADER_CHARACTERS = 4096


class Incoming:
    """Chunks on their way to the blob store, and what is learnt of them meanwhile."""

    def __init__(self, name: str, chunks: AsyncIterator[bytes], limit: int) -> None:
        self._name = name
        self._chunks = chunks
        self._limit = limit
        self._head = b""
        self._digest = sha256()
        self._size = 0

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            self._size += len(chunk)
            if self._size > self._limit:
                raise TooLarge(self._limit)
            self._digest.update(chunk)
            self._head += chunk[: HEAD_BYTES - len(self._head)]
            yield chunk

    @property
    def size(self) -> int:
        """After the last chunk."""
        return self._size

    @property
    def described(self) -> dict[str, Any]:
        """After the last chunk: name, type, size and sha256."""
        kind = sniffed(self._head, self._name)
        name = safe_name(self._name, kind, "file")
        digest = self._digest.hexdigest()
        return {"name": name, "type": kind, "size": self._size, "sha256": digest}


async def incoming(request: Request, name: str | None, *, limit: int = UPLOAD_BYTES) -> Incoming:
    """The file that a request brings; ``name`` is what it is called when the request says so."""
    kind = _header(request.headers.raw, b"content-type", "Content-Type")
    if kind.get_content_type() == "multipart/form-data":
        found, chunks = await _of_form(request, kind.get_boundary() or "")
        return Incoming(name or found, chunks, limit)
    disposition = _header(request.headers.raw, b"content-disposition", "Content-Disposition")
    return Incoming(name or _file_name(disposition) or "", _received(request), limit)


async def _of_form(request: Request, boundary: str) -> tuple[str, AsyncIterator[bytes]]:
    form, received = _Form(boundary), _received(request)
    begun: list[bytes] = []
    while form.name is None:
        chunk = await anext(received, None)
        if chunk is None:
            raise Invalid("the form has no file", field="file")
        begun += form.take(chunk)

    async def chunks() -> AsyncIterator[bytes]:
        for part in begun:
            yield part
        async for chunk in received:
            for part in form.take(chunk):
                yield part
        if not form.complete:
            raise Malformed("the form ends in its middle")

    return form.name, chunks()


async def _received(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Malformed("the upload was cut off") from None


class _Form:
    """multipart/form-data (RFC 7578) as it comes in: one file, and nothing else."""

    def __init__(self, boundary: str) -> None:
        self.name: str | None = None
        self.complete = False
        self._content: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._field = self._value = b""
        try:
            self._parser = MultipartParser(
                boundary.encode("latin-1", "replace"),
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise Malformed(f"the form cannot be read: {error}") from None

    def take(self, chunk: bytes) -> list[bytes]:
        """What the chunk has of the file. Raises `Invalid` for a part that is not the file."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Malformed(f"the form cannot be read: {error}") from None
        content, self._content = self._content, []
        return content

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers.append((self._field.lower(), self._value))
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        disposition = _header(self._headers, b"content-disposition", "Content-Disposition")
        name = _file_name(disposition)
        if name is None:
            part = disposition.get_param("name", "", "Content-Disposition")
            raise Invalid("this field is not known", field=str(part))
        if self.name is not None:
            raise Invalid("one file at a time", field="file")
        self.name = name

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _on_end(self) -> None:
        self.complete = True


def _header(headers: list[tuple[bytes, bytes]], field: bytes, name: str) -> Message:
    """A header alone, for its parameters; those of forms are in UTF-8."""
    value = next((value for each, value in headers if each == field), b"")[:HEADER_CHARACTERS]
    found = Message()
    try:
        found[name] = value.decode()
    except UnicodeDecodeError:
        found[name] = value.decode("latin-1")
    return found


def _file_name(disposition: Message) -> str | None:
    """``filename*`` before ``filename``, as RFC 6266 wants it."""
    parameters: Any = disposition.get_params([], "Content-Disposition")
    names = [value for key, value in parameters if key.lower() == "filename"]
    coded = [value for value in names if isinstance(value, tuple)]
    return collapse_rfc2231_value((coded or names)[0]) if names else None
