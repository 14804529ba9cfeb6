"""Invoices of time that was worked. A client's key sees what was issued to the client alone."""

from datetime import timedelta
from typing import Annotated, Literal

import asyncpg
from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.invoices import (
    Invoice,
    InvoiceClient,
    InvoiceState,
    InvoiceTicket,
    IssueInvoice,
    VoidInvoice,
)
from deskwire.contracts.settings import InvoiceLines
from deskwire.errors import Invalid, NotFound
from gateway.api import answers, pages
from gateway.api.auth import caller, router, scope
from gateway.api.commands import changed, created, perform
from gateway.api.fields import Day, Id, Moment, Note, Rate, RequestBody
from gateway.api.pages import Page, Paging, Parameters, Several
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.services import services
from gateway.readmodel import invoices
from gateway.readmodel.documents import text_of
from gateway.readmodel.lists import INVOICE_LIST, Filter, among

routes = router("", "invoices")

LONGEST = timedelta(days=366)

Lines = Annotated[
    InvoiceLines,
    Field(
        description="one for each; those of entries show their notes. Without it as the settings"
    ),
]


class TicketInvoice(RequestBody):
    """Without ``invoice_id`` it is a new draft. ``rate``, for an hour, is that of this ticket;
    without it the client's is taken, else that of the agent who worked, else the default."""

    invoice_id: Id | None = None
    rate: Rate | None = None
    lines: Lines | None = None


class ClientInvoice(RequestBody):
    """Of the client's tickets that were closed in the range: ``from`` is in it, ``to`` is not."""

    client_id: Id
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to", description="at most 366 days later")
    lines: Lines | None = None


class Voiding(RequestBody):
    reason: Annotated[Note, Field(max_length=500)] = ""


class InvoiceFilters(Parameters):
    """``from`` is in the range of the invoices' dates, ``to`` is not."""

    client_id: Several[pages.Id] | None = None
    state: Several[InvoiceState] | None = None
    since: Day | None = Field(None, alias="from")
    until: Day | None = Field(None, alias="to")

    def filters(self, within: int | None) -> list[Filter]:
        found = invoices.seen_by(within)
        for name in ("client_id", "state"):
            if values := getattr(self, name):
                found.append(among(name, values))
        if self.since is not None:
            found.append(Filter("date", "from", self.since))
        if self.until is not None:
            found.append(Filter("date", "before", self.until))
        return found


class InvoiceQuery(InvoiceFilters, Paging):
    sort: Literal["number", "-number"] = "-number"


@routes.post("/tickets/{ticket_id:int}/invoice", status_code=201, response_model=Invoice)
@scope("invoices:write", everywhere=True)
async def invoice_ticket(
    request: Request, ticket_id: int, new: TicketInvoice | None = None
) -> Response:
    """Draft an invoice of the ticket's billable time that is on none yet, or add that to a draft.

    409 when there is nothing to invoice, no rate, or another currency than the draft's. While an
    invoice is not void, its time cannot be changed and is billed by no other.
    """
    by = caller(request)
    given = (new or TicketInvoice()).model_dump()
    made = InvoiceTicket.model_validate(given | {"ticket_id": ticket_id, "actor": by.actor})
    return await _drafted(request, made)


@routes.post("/invoices", status_code=201, response_model=Invoice)
@scope("invoices:write", everywhere=True)
async def invoice_client(request: Request, new: ClientInvoice) -> Response:
    """Draft an invoice of all the client's tickets that were closed in a range, such as a month."""
    by = caller(request)
    if not timedelta(0) < new.until - new.since <= LONGEST:
        raise Invalid("must be after `from`, by 366 days at most", field="to")
    return await _drafted(request, InvoiceClient(actor=by.actor, **new.model_dump()))


@routes.get("/invoices", response_model=Page[Invoice])
@scope("invoices:read")
async def list_invoices(request: Request, query: Annotated[InvoiceQuery, Query()]) -> Response:
    """The invoices, latest first. A key bound to a client sees those that were issued to it."""
    filters = query.filters(caller(request).within)
    return await pages.listed(request, INVOICE_LIST, query, sort=query.sort, filters=filters)


@routes.get("/invoices/{invoice_id:int}", response_model=Invoice)
@scope("invoices:read")
async def read_invoice(request: Request, invoice_id: int) -> Response:
    """One invoice."""
    return answers.found(request, await require_invoice(request, invoice_id))


@routes.post("/invoices/{invoice_id:int}/issue", response_model=Invoice, openapi_extra=IF_SEEN)
@scope("invoices:write", everywhere=True)
async def issue_invoice(request: Request, invoice_id: int) -> Response:
    """Make it final: dated today, due as the client's terms say; from now on it can only be made
    void. 409 unless it is a draft, or while the settings do not say who sells."""
    by = caller(request)
    seen = version_if_given(request)
    return await _changed(
        request, IssueInvoice(invoice_id=invoice_id, actor=by.actor, if_version=seen)
    )


@routes.post("/invoices/{invoice_id:int}/void", response_model=Invoice, openapi_extra=IF_SEEN)
@scope("invoices:write", everywhere=True)
async def void_invoice(
    request: Request, invoice_id: int, voiding: Voiding | None = None
) -> Response:
    """Make it void. It keeps its number, so that none is missing; its time can be changed, and
    invoiced again."""
    by = caller(request)
    command = VoidInvoice(
        invoice_id=invoice_id,
        reason=(voiding or Voiding()).reason,
        actor=by.actor,
        if_version=version_if_given(request),
    )
    return await _changed(request, command)


async def require_invoice(request: Request, id: int) -> asyncpg.Record:
    """Its row, or `NotFound` when the caller may not see it."""
    row = await invoices.invoice(services(request).database, id, caller(request).within)
    if row is None:
        raise NotFound(f"there is no invoice {id}")
    return row


async def _drafted(request: Request, command: InvoiceTicket | InvoiceClient) -> Response:
    answer = await perform(request, command)
    invoice = answer.reply.invoice
    place = f"/api/v1/invoices/{invoice.id}"
    return created(request, place, text_of(invoice), invoice.version, replayed=answer.replayed)


async def _changed(request: Request, command: IssueInvoice | VoidInvoice) -> Response:
    answer = await perform(request, command)
    invoice = answer.reply
    return changed(request, text_of(invoice), invoice.version, replayed=answer.replayed)
