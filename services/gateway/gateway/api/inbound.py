"""Mail in: the ledger of every mail that came, and what people decide about it."""

from typing import Annotated, Any, Literal

import asyncpg
from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from deskwire.blobs import handed_place
from deskwire.contracts.base import Command
from deskwire.contracts.mail import (
    AcceptMail,
    DiscardMail,
    HandInMail,
    InboundMail,
    InboundState,
    RetryMail,
)
from deskwire.errors import Invalid, NotFound, Rejected
from gateway.api import answers, pages
from gateway.api.auth import body_limit, caller, router, scope
from gateway.api.commands import changed, created, perform, request_id
from gateway.api.downloads import disposition
from gateway.api.errors import Gone
from gateway.api.fields import Id, Line, Moment, Note, RequestBody
from gateway.api.pages import Page, Paging, Several
from gateway.api.preconditions import IF_NONE_MATCH
from gateway.api.records import require
from gateway.api.responses import FRESH, refused
from gateway.api.services import services
from gateway.api.uploads import FRAME_BYTES, incoming
from gateway.readmodel.documents import text_of
from gateway.readmodel.inbound import inbound_mail, sender_key
from gateway.readmodel.lists import INBOUND_LIST, Filter, among

routes = router("/mail/inbound", "mail")

MAIL_BYTES = 50 * 1024 * 1024
MAIL = "message/rfc822"

_BINARY = {"schema": {"type": "string", "format": "binary"}}
UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The mail as it is (RFC 5322), up to 50 MiB, or a form with nothing else.",
        "content": {
            MAIL: _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
        },
    }
}
RAW: dict[int | str, dict[str, Any]] = {
    200: {"description": "The mail as it came", "content": {MAIL: _BINARY}},
    304: FRESH,
    410: refused(410)["410"],
}


class InboundQuery(Paging):
    sort: Literal["seen_at", "-seen_at"] = "-seen_at"
    state: Several[InboundState] | None = None
    mailbox: Line | None = None
    sender: Note | None = Field(None, max_length=320, description="an address, whatever its case")
    ticket_id: Several[pages.Id] | None = None
    seen_after: Moment | None = None
    seen_before: Moment | None = None

    def filters(self) -> list[Filter]:
        sender = self.sender and sender_key(self.sender)
        several = {"state": self.state, "ticket_id": self.ticket_id}
        found = [among(column, values) for column, values in several.items() if values]
        others = [
            Filter("mailbox", "one", self.mailbox),
            Filter("sender", "one", sender),
            Filter("seen_at", "after", self.seen_after),
            Filter("seen_at", "before", self.seen_before),
        ]
        return found + [each for each in others if each.value is not None]


class Acceptance(RequestBody):
    """``client_id``: whose contact the sender is from now on, if nobody's yet."""

    client_id: Id | None = None


@routes.get("", response_model=Page[InboundMail])
@scope("mail:read", everywhere=True)
async def list_inbound(request: Request, query: Annotated[InboundQuery, Query()]) -> Response:
    """The mails that came in, and what became of each."""
    filters = query.filters()
    return await pages.listed(request, INBOUND_LIST, query, sort=query.sort, filters=filters)


@routes.post("", status_code=201, response_model=InboundMail, openapi_extra=UPLOAD_BODY)
@scope("mail:write", everywhere=True)
@body_limit(MAIL_BYTES + FRAME_BYTES)
async def upload_mail(request: Request) -> Response:
    """Hand in a mail as if a mailbox had brought it. It is `received` at first: read it again for
    what became of it."""
    upload_id, place = request_id(request), handed_place()
    request.scope["streams"] = True
    file = await incoming(request, None, limit=MAIL_BYTES)
    await services(request).blobs.write(place, file.chunks())
    command = HandInMail(mailbox="upload", uid=str(upload_id), raw_id=place, size=file.size)
    mail = await _handed_in(request, command)
    where, replayed = f"/api/v1/mail/inbound/{mail.id}", mail.raw_id != place
    return created(request, where, text_of(mail), mail.version, replayed=replayed)


@routes.get("/{mail_id:int}", response_model=InboundMail)
@scope("mail:read", everywhere=True)
async def read_inbound(request: Request, mail_id: int) -> Response:
    """One mail of the ledger."""
    return answers.found(request, await _mail(request, mail_id))


@routes.get(
    "/{mail_id:int}/raw",
    response_class=Response,
    responses=RAW,
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
@scope("mail:read", everywhere=True)
async def read_raw(request: Request, mail_id: int) -> Response:
    """The mail as it came, to be saved; of one that was too large its headers. 410 once it was
    kept for as long as it is to be."""
    row = await _mail(request, mail_id)
    if deleted_at := InboundMail.model_validate_json(row["doc"]).raw_deleted_at:
        raise Gone(f"mail {mail_id} was kept until {deleted_at:%Y-%m-%d}")
    if row["raw_id"] is None:
        raise NotFound(f"nothing was kept of mail {mail_id}")
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Disposition": disposition(f"mail-{mail_id}.eml"),
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "ETag": f'"{row["raw_id"]}"',
    }
    if answers.matches(request.headers.get("if-none-match", ""), row["raw_id"]):
        return Response(status_code=304, headers=headers)
    request.scope["streams"] = True
    chunks = await services(request).blobs.read(row["raw_id"], range(0))
    return StreamingResponse(chunks, 200, headers, media_type=MAIL)


@routes.post("/{mail_id:int}/retry", response_model=InboundMail)
@scope("mail:write", everywhere=True)
async def retry_inbound(request: Request, mail_id: int) -> Response:
    """Have a mail that is failed, ignored or quarantined go its way anew: after its sender has
    become a contact, or what it failed of is mended."""
    return await _decided(request, RetryMail(mail_id=mail_id, actor=caller(request).actor))


@routes.post("/{mail_id:int}/accept", response_model=InboundMail)
@scope("mail:write", everywhere=True)
async def accept_inbound(request: Request, mail_id: int, new: Acceptance) -> Response:
    """Let a mail in that is failed, ignored or quarantined, whoever sent it and whatever it is: it
    answers the ticket that it belongs to, else opens one."""
    actor, client_id = caller(request).actor, new.client_id
    if client_id is not None:
        await require(request, "client", client_id, field="client_id")
    return await _decided(request, AcceptMail(mail_id=mail_id, client_id=client_id, actor=actor))


@routes.post("/{mail_id:int}/discard", response_model=InboundMail)
@scope("mail:write", everywhere=True)
async def discard_inbound(request: Request, mail_id: int) -> Response:
    """Say that nothing is to become of a mail that is failed or quarantined. It stays readable."""
    return await _decided(request, DiscardMail(mail_id=mail_id, actor=caller(request).actor))


async def _mail(request: Request, mail_id: int) -> asyncpg.Record:
    row = await inbound_mail(services(request).database, mail_id)
    if row is None:
        raise NotFound(f"there is no mail {mail_id}")
    return row


async def _decided(request: Request, command: Command[InboundMail]) -> Response:
    answer = await perform(request, command)
    mail = answer.reply
    return changed(request, text_of(mail), mail.version, replayed=answer.replayed)


async def _handed_in(request: Request, command: HandInMail) -> InboundMail:
    """Each attempt is a message of its own, because its blob is; its ``uid`` makes them one."""
    blobs = services(request).blobs
    try:
        if not command.size:
            raise Invalid("the mail is empty")
        answer = await perform(request, command, part=command.raw_id)
    except Rejected:
        await blobs.delete(command.raw_id)
        raise
    if answer.reply.raw_id != command.raw_id:
        await blobs.delete(command.raw_id)
    return answer.reply
