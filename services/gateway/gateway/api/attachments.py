"""Files: uploaded first, then named by an entry; who may read the entry may read them."""

from typing import Annotated, Any

import structlog
from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deskwire.blobs import fresh_place
from deskwire.contracts.attachments import KeepUpload
from deskwire.contracts.entries import StoredFile
from deskwire.errors import NotFound, Rejected
from gateway.api.auth import body_limit, caller, router, scope
from gateway.api.commands import created, perform, request_id
from gateway.api.downloads import download, tag, unchanged, wanted
from gateway.api.preconditions import IF_NONE_MATCH
from gateway.api.responses import FRESH, bearing
from gateway.api.services import services
from gateway.api.uploads import FRAME_BYTES, UPLOAD_BYTES, incoming
from gateway.readmodel import reading

log = structlog.get_logger()

routes = router("/attachments", "attachments")

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}},
    "additionalProperties": False,
}
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "The file as it is, up to 25 MiB, or a form with nothing else in it. Without"
        " a body it is an empty file.",
        "content": {
            "application/octet-stream": _BINARY,
            "multipart/form-data": {"schema": _FORM},
        },
    }
}
DOWNLOADS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {"*/*": _BINARY}, "headers": bearing("ETag")},
    206: {"description": "The range of it that was asked for", "content": {"*/*": _BINARY}},
    304: FRESH,
}
CONDITIONS: dict[str, Any] = {
    "parameters": [
        IF_NONE_MATCH,
        {"name": "Range", "in": "header", "schema": {"type": "string"}, "example": "bytes=0-1023"},
        {"name": "If-Range", "in": "header", "schema": {"type": "string"}},
    ]
}


class UploadQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, max_length=255, description="instead of a Content-Disposition")


class Uploaded(BaseModel):
    """``type`` is what the content says, not who sent it; ``name`` is safe to save it by."""

    id: int
    name: str
    size: int
    type: str
    sha256: str
    inline: bool


@routes.post("", status_code=201, response_model=Uploaded, openapi_extra=UPLOAD_BODY)
@scope("attachments:write")
@body_limit(UPLOAD_BYTES + FRAME_BYTES)
async def upload(request: Request, query: Annotated[UploadQuery, Query()]) -> Response:
    """Upload a file for the `attachment_ids` of a ticket or entry that is written within a day.

    Its name is `?name=`, that of the form, or `Content-Disposition: attachment; filename*=...`.
    Only the key that uploaded it can use it, and other keys of the same agent. Once an entry shows
    it, whoever may read the entry may read the file.
    """
    upload_id = request_id(request)
    request.scope["streams"] = True
    file, place = await incoming(request, query.name), fresh_place()
    await services(request).blobs.write(place, file.chunks())
    kept = await _kept(
        request,
        KeepUpload(
            request_id=upload_id,
            uploader=caller(request).uploader,
            blob_id=place,
            **file.described,
        ),
    )
    doc = kept.model_dump_json(exclude={"blob_id"})
    where, replayed = f"/api/v1/attachments/{kept.id}", kept.blob_id != place
    return created(request, where, doc, tag(kept), replayed=replayed)


@routes.get(
    "/{attachment_id:int}",
    response_class=Response,
    responses=DOWNLOADS,
    openapi_extra=CONDITIONS,
)
@scope("attachments:read")
async def read_attachment(request: Request, attachment_id: int) -> Response:
    """The file of an entry, to be saved: as it came, from whomever it came. One range is served."""
    at, by = services(request), caller(request)
    file = await reading.file(at.database, attachment_id, by.within, internal=by.sees_internal)
    if file is None:
        raise NotFound(f"there is no attachment {attachment_id}")
    return await served(request, file)


async def served(request: Request, file: StoredFile) -> Response:
    if (fresh := unchanged(request, file)) is not None:
        return fresh
    request.scope["streams"] = True
    part = wanted(request, file.size, tag(file))
    try:
        chunks = await services(request).blobs.read(file.blob_id, part)
    except NotFound:
        log.error("file is gone", attachment=file.id, blob=file.blob_id)
        raise NotFound(f"the content of attachment {file.id} is gone") from None
    return download(file, part, chunks)


async def _kept(request: Request, upload: KeepUpload) -> StoredFile:
    """Each attempt is a message of its own, because its blob is; the ``request_id`` makes them one.

    A blob that no row points at now is removed at once. Who is killed before that, or has no
    answer, leaves it to ticket-svc to look for.
    """
    blobs = services(request).blobs
    try:
        answer = await perform(request, upload, part=upload.blob_id)
    except Rejected:
        await blobs.delete(upload.blob_id)
        raise
    if answer.reply.blob_id != upload.blob_id:
        await blobs.delete(upload.blob_id)
    return answer.reply
