"""Tickets: opened by their owner, read from here."""

from typing import Literal

import asyncpg
from fastapi import Request, Response
from pydantic import Field

from deskwire.blobs import Blobs, fresh_place
from deskwire.contracts.mail import Body
from deskwire.contracts.terms import Priority
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.contracts.tickets import Ticket
from deskwire.errors import Forbidden, NotFound
from gateway.api import answers
from gateway.api.auth import Caller, caller, router, scope
from gateway.api.commands import created, perform
from gateway.api.fields import (
    Addresses,
    Attachments,
    Id,
    Ids,
    Message,
    Moment,
    Name,
    RequestBody,
    Subject,
    Tags,
    body_of,
)
from gateway.api.services import services
from gateway.readmodel import reading
from gateway.readmodel.documents import text_of as document_text

routes = router("/tickets", "tickets")


class TicketTemplate(RequestBody):
    """What a ticket is opened with."""

    subject: Subject
    body: Message
    client_id: Id | None = None
    contact_id: Id | None = None
    priority: Priority = "low"
    category: Name | None = None
    assigned_to: Id | None = None
    asset_ids: Ids = ()
    watchers: Addresses = ()
    tags: Tags = ()
    billable: bool | None = Field(
        None,
        description="whether its time is invoiced; null: as the setting `tickets_billable`",
    )
    due_at: Moment | None = None

    def command(self, body: Body, by: Caller) -> OpenTicket:
        """Within the client of the caller's key, if it is bound to one.

        Raises `Forbidden` for what only the team may do.
        """
        if by.within is not None and self.assigned_to is not None:
            raise Forbidden("a key bound to a client assigns nobody")
        values = self.model_dump(exclude={"body", "client_id", "source"})
        return OpenTicket(
            **values,
            body=body,
            client_id=self.client_id or by.within,
            within_client=by.within,
            author=by.author() if self.contact_id is None else by.agent,
        )


class NewTicket(TicketTemplate):
    attachment_ids: Attachments = ()
    source: Literal["api", "portal"] | None = Field(
        None,
        description="`portal`: a client opens it in a front end for clients."
        " Unless told it is `agent` with an agent's key, `api` with any other",
    )

    def command(self, body: Body, by: Caller) -> OpenTicket:
        source = self.source or ("api" if by.agent is None else "agent")
        told = {"uploader": by.uploader, "source": source}
        return super().command(body, by).model_copy(update=told)


@routes.get("/{ticket_id:int}", response_model=Ticket)
@scope("tickets:read")
async def read_ticket(request: Request, ticket_id: int) -> Response:
    """One ticket."""
    return await _found(request, await seen(request, ticket_id))


async def _found(request: Request, row: asyncpg.Record) -> Response:
    (doc,) = await answers.as_seen(request, [await answers.whole(request, row)])
    return answers.found(request, row, doc)


async def seen(request: Request, ticket_id: int) -> asyncpg.Record:
    """The ticket's row, or `NotFound` when the caller may not see it."""
    row = await services(request).tickets.get(ticket_id, caller(request).within)
    if row is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    return row


@routes.get("/by-number/{reference}", response_model=Ticket)
@scope("tickets:read")
async def read_ticket_by_number(request: Request, reference: str) -> Response:
    """One ticket by what people call it, such as TCK-12, tck-12 or 12."""
    within = caller(request).within
    database = services(request).database
    row = await reading.ticket_by_reference(database, reference.replace("\0", ""), within)
    if row is None:
        raise NotFound(f"there is no ticket {reference}")
    return await _found(request, row)


@routes.post("", status_code=201, response_model=Ticket)
@scope("tickets:write")
async def open_ticket(request: Request, new: NewTicket) -> Response:
    """Open a ticket. The client and the team are told as the settings say."""
    return await open_with(request, new, services(request).blobs)


async def open_with(request: Request, new: TicketTemplate, blobs: Blobs) -> Response:
    body = await body_of(new.body)
    command = new.command(await blobs.fold(body, fresh_place()), caller(request))
    answer = await perform(request, command)
    ticket = answer.reply.ticket
    doc = document_text(ticket.model_copy(update={"body": body}))
    place = f"/api/v1/tickets/{ticket.id}"
    return created(request, place, doc, ticket.version, replayed=answer.replayed)
