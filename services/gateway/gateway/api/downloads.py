"""A stored file on its way out: never shown in place, whole or a range of it."""

import re
from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from deskwire.contracts.entries import StoredFile
from deskwire.filetypes import BYTES
from gateway.api.answers import matches

_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)
_PLAIN = str.maketrans({'"': "_", "\\": "_", "%": "_"})


def tag(file: StoredFile) -> str:
    return file.sha256 or file.blob_id


def unchanged(request: Request, file: StoredFile) -> Response | None:
    """304 to those who have it."""
    if not matches(request.headers.get("if-none-match", ""), tag(file)):
        return None
    return Response(status_code=304, headers=_validators(file))


def wanted(request: Request, size: int, etag: str) -> range:
    """The bytes that are asked for (RFC 9110 section 14): one range, else all of them."""
    header = request.headers.get("range", "")
    found = _RANGE.fullmatch(header.strip())
    if found is None or not (found[1] or found[2]) or not _still(request, etag):
        return range(size)
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
    else:
        start, stop = int(found[1]), min(size, int(found[2] or size - 1) + 1)
        if found[2] and int(found[2]) < start:
            return range(size)
    if start >= size:
        beyond = {"Content-Range": f"bytes */{size}"}
        raise HTTPException(416, f"the file has {size} bytes", headers=beyond)
    return range(start, stop)


def download(file: StoredFile, part: range, chunks: AsyncIterator[bytes]) -> Response:
    headers = _validators(file) | {
        "Accept-Ranges": "bytes",
        "Content-Type": file.type if _TYPE.fullmatch(file.type) else BYTES,
        "Content-Length": str(len(part)),
        "Content-Disposition": disposition(file.name),
        "Content-Security-Policy": "sandbox; default-src 'none'",
    }
    if len(part) == file.size:
        return StreamingResponse(chunks, 200, headers)
    headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    return StreamingResponse(chunks, 206, headers)


def disposition(name: str) -> str:
    """To be saved under this name (RFC 6266), also by those who know ASCII alone."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").translate(_PLAIN)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _still(request: Request, etag: str) -> bool:
    """Whether what If-Range names, if anything, is what there is."""
    return request.headers.get("if-range", f'"{etag}"').strip() == f'"{etag}"'


def _validators(file: StoredFile) -> dict[str, str]:
    return {"ETag": f'"{tag(file)}"', "Cache-Control": "private, no-cache"}
