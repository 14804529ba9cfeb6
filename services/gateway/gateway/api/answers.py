"""Single documents as they go out: with an ETag, and 304 to those who have it."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import asyncpg
import structlog
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from deskwire.blobs import BlobError
from deskwire.contracts.mail import Body
from deskwire.errors import NotFound
from gateway.api.auth import caller
from gateway.api.services import services
from gateway.readmodel import outside
from gateway.readmodel.documents import with_body

log = structlog.get_logger()

UNFOLDED_BYTES = 4 * 1024 * 1024
"""So much of large bodies is put into one page; later ones stay beginnings."""

_JSON = (b"content-type", b"application/json")
_REVALIDATE = (b"cache-control", b"private, no-cache")


class Found(Response):
    """A document. It sends itself in fewer steps than Starlette's own, a tenth of a read."""

    background = None

    def __init__(self, doc: str, version: int, *, fresh: bool) -> None:
        self.status_code = 304 if fresh else 200
        self.body = b"" if fresh else doc.encode()
        self.raw_headers = [(b"etag", b'"%d"' % version), _REVALIDATE]
        if not fresh:
            self.raw_headers += [_JSON, (b"content-length", b"%d" % len(self.body))]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send(start | {"headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body})


def matches(wanted: str, version: int | str) -> bool:
    """Whether an If-Match or If-None-Match header (RFC 9110 section 13.1) names the version."""
    tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
    return "*" in tags or f'"{version}"' in tags


def found(
    request: Request, row: asyncpg.Record | Mapping[str, Any], doc: str | None = None
) -> Found:
    """The row's document, or ``doc`` in its place."""
    version = row["version"]
    wanted = next((v for name, v in request.scope["headers"] if name == b"if-none-match"), None)
    fresh = wanted is not None and matches(wanted.decode("latin-1"), version)
    return Found(doc or row["doc"], version, fresh=fresh)


def tagged(request: Request, doc: str) -> Response:
    """A document that has no version: its ETag is made of what it says."""
    tag = sha256(doc.encode()).hexdigest()[:16]
    fresh = matches(request.headers.get("if-none-match", ""), tag)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    content, status = (None, 304) if fresh else (doc, 200)
    return Response(content, status, headers, media_type="application/json")


async def as_seen(request: Request, docs: Sequence[str]) -> Sequence[str]:
    """The documents of tickets, as the caller may see them."""
    if caller(request).sees_internal:
        return docs
    return await outside.tickets(services(request).database, docs)


async def whole_docs(request: Request, rows: Sequence[asyncpg.Record]) -> list[str]:
    """The documents of a page, with whole bodies as far as `UNFOLDED_BYTES` of them."""
    docs, unfolded = [], 0
    for row in rows:
        doc = row["doc"]
        if row["blob_id"] is not None and unfolded < UNFOLDED_BYTES:
            doc = await whole(request, row)
            unfolded += len(doc)
        docs.append(doc)
    return docs


async def whole(request: Request, row: asyncpg.Record) -> str:
    """The document with its whole body; with the beginning of it while the blobs are away."""
    if row["blob_id"] is None:
        doc: str = row["doc"]
        return doc
    try:
        body = await services(request).blobs.unfold(Body(text="", blob_id=row["blob_id"]))
    except (NotFound, BlobError, OSError) as error:
        log.warning("body not read", blob=row["blob_id"], cause=str(error))
        return str(row["doc"])
    return with_body(row["doc"], body)
