"""Replies and notes on a ticket."""

from typing import Annotated

import orjson
from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.blobs import fresh_place
from deskwire.contracts.actors import Author
from deskwire.contracts.entries import Entry
from deskwire.contracts.records import Contact
from deskwire.contracts.terms import EntryKind, Status
from deskwire.contracts.ticket_commands import AddEntry, EditEntry, RedactEntry
from deskwire.contracts.timekeeping import LONGEST_TIME
from deskwire.errors import Forbidden, Invalid, NotFound
from gateway.api import answers, pages
from gateway.api.auth import Caller, caller, router, scope
from gateway.api.commands import changed, created, perform
from gateway.api.fields import Addresses, Attachments, Id, Message, RequestBody, body_of
from gateway.api.pages import Page, Paging
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.records import require
from gateway.api.services import services
from gateway.api.tickets import seen
from gateway.readmodel import outside, reading
from gateway.readmodel.documents import shown
from gateway.readmodel.documents import text_of as document_text
from gateway.readmodel.lists import TIMELINE, Filter

routes = router("/tickets/{ticket_id:int}/entries", "tickets")


class NoteChange(RequestBody):
    body: Message


class NewEntry(RequestBody):
    """``kind`` is public unless given, with a ``contact_id`` it is client, as it always is with a
    key bound to a client."""

    body: Message
    kind: EntryKind | None = None
    contact_id: Id | None = Field(
        None, description="who of the ticket's client wrote it; of the kind client alone"
    )
    status: Status | None = None
    time_worked: int = Field(0, strict=True, ge=0, le=LONGEST_TIME, description="seconds")
    cc: Addresses = ()
    attachment_ids: Attachments = ()

    def allowed(self, by: Caller) -> EntryKind:
        """The kind it will have. Raises `Forbidden` for what only the team may do."""
        if by.within is None:
            return self.kind or ("public" if self.contact_id is None else "client")
        if self.kind not in (None, "client") or self.status is not None or self.time_worked:
            raise Forbidden(
                "a key bound to a client writes client entries, without status and time"
            )
        return "client"


@routes.get("", response_model=Page[Entry])
@scope("tickets:read")
async def list_entries(
    request: Request, ticket_id: int, query: Annotated[Paging, Query()]
) -> Response:
    """The timeline, oldest first; that of a merged ticket is the timeline of its target."""
    filters = [Filter("ticket_id", "one", await shown_on(request, ticket_id))]
    if not caller(request).sees_internal:
        filters.append(Filter("kind", "not", "internal"))

    return await pages.listed(request, TIMELINE, query, sort="created_at", filters=filters)


@routes.get("/{entry_id:int}", response_model=Entry)
@scope("tickets:read")
async def read_entry(request: Request, ticket_id: int, entry_id: int) -> Response:
    """One reply or note."""
    ticket_id = await shown_on(request, ticket_id)
    internal = caller(request).sees_internal
    row = await reading.entry(services(request).database, entry_id, ticket_id, internal=internal)
    if row is None:
        raise NotFound(f"there is no entry {entry_id} on ticket {ticket_id}")
    doc = await answers.whole(request, row)
    return answers.found(request, row, doc if internal else outside.entry(doc))


@routes.post("", status_code=201, response_model=Entry)
@scope("tickets:write")
async def add_entry(request: Request, ticket_id: int, new: NewEntry) -> Response:
    """Reply or note. A public entry is mailed to the contact and the watchers."""
    by = caller(request)
    kind = new.allowed(by)
    author = by.author(client=kind == "client")
    if new.contact_id is not None:
        author = await _contact(request, ticket_id, new.contact_id, kind)
    body = await body_of(new.body)
    command = AddEntry(
        ticket_id=ticket_id,
        kind=kind,
        body=await services(request).blobs.fold(body, fresh_place()),
        author=author,
        through=by.through,
        status=new.status,
        time_worked=new.time_worked,
        cc=new.cc,
        attachment_ids=new.attachment_ids,
        uploader=by.uploader,
        within_client=by.within,
    )
    answer = await perform(request, command)
    entry = answer.reply.entry
    doc = document_text(entry.model_copy(update={"body": body}))
    place = f"/api/v1/tickets/{entry.ticket_id}/entries/{entry.id}"
    return created(request, place, doc, entry.version, replayed=answer.replayed)


async def _contact(request: Request, ticket_id: int, contact_id: int, kind: EntryKind) -> Author:
    """Raises `NotFound` for one who is not of the ticket's client, or not any more."""
    if kind != "client":
        raise Invalid("is for entries of the kind client", field="contact_id")
    ticket = await seen(request, ticket_id)
    row = await require(request, "contact", contact_id, field="contact_id")
    contact = Contact.model_validate_json(row["doc"])
    if row["archived"] or contact.client_id != ticket["client_id"]:
        raise NotFound(f"there is no contact {contact_id}", field="contact_id")
    return Author(type="contact", id=contact.id, name=contact.name, email=contact.email)


@routes.patch("/{entry_id:int}", response_model=Entry, openapi_extra=IF_SEEN)
@scope("tickets:write", everywhere=True)
async def edit_entry(
    request: Request, ticket_id: int, entry_id: int, change: NoteChange
) -> Response:
    """Edit one's own internal note. What others were told stays as they were told it: 403."""
    by = caller(request)
    body = await body_of(change.body)
    command = EditEntry(
        ticket_id=ticket_id,
        entry_id=entry_id,
        body=await services(request).blobs.fold(body, fresh_place()),
        if_version=version_if_given(request),
        actor=by.actor,
    )
    return await _changed(request, command)


@routes.delete("/{entry_id:int}", response_model=Entry)
@scope("tickets:write", everywhere=True)
async def redact_entry(request: Request, ticket_id: int, entry_id: int) -> Response:
    """Remove its text and files for good. That it was there, and who removed it, stays."""
    by = caller(request)
    return await _changed(
        request, RedactEntry(ticket_id=ticket_id, entry_id=entry_id, actor=by.actor)
    )


async def shown_on(request: Request, ticket_id: int) -> int:
    """The ticket on which its entries are shown, if the caller may see both."""
    row = await seen(request, ticket_id)
    target: int | None = orjson.loads(row["doc"])["merged_into"]
    if target is None:
        return ticket_id
    await seen(request, target)
    return target


async def _changed(request: Request, command: EditEntry | RedactEntry) -> Response:
    answer = await perform(request, command)
    entry = answer.reply.entry
    return changed(request, shown(entry), entry.version, replayed=answer.replayed)
