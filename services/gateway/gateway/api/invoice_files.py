"""Invoices to print, and as a table for accounting."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response

from deskwire.contracts.invoices import Invoice
from gateway.api.answers import matches
from gateway.api.auth import caller, router, scope
from gateway.api.downloads import disposition
from gateway.api.invoices import InvoiceFilters, require_invoice
from gateway.api.preconditions import IF_NONE_MATCH
from gateway.api.responses import FRESH, bearing
from gateway.api.services import services
from gateway.api.spreadsheets import Columns, CsvStream, streamed, table
from gateway.readmodel import lists
from gateway.readmodel.lists import INVOICE_LIST, Place
from gateway.readmodel.lists import Query as ListQuery

routes = router("/invoices", "invoices")

PRINTER = ThreadPoolExecutor(1, "invoices")
"""One invoice at a time, see `render`, while the event loop goes on."""

_BINARY = {"schema": {"type": "string", "format": "binary"}}
PDF: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/pdf": _BINARY}, "headers": bearing("ETag")},
    304: FRESH,
}

Row = tuple[Mapping[str, Any], Mapping[str, Any]]
"""An invoice, and one of its lines."""

COLUMNS: Columns = {
    "invoice": lambda row: row[0]["reference"],
    "state": lambda row: row[0]["state"],
    "date": lambda row: row[0]["date"],
    "due": lambda row: row[0]["due"],
    "client_id": lambda row: row[0]["client"]["id"],
    "client": lambda row: row[0]["client"]["name"],
    "tax_id": lambda row: row[0]["buyer"]["tax_id"],
    "line": lambda row: row[1]["id"],
    "ticket": lambda row: row[1]["ticket"]["name"],
    "description": lambda row: row[1]["description"],
    "worked_from": lambda row: row[1]["worked_from"],
    "worked_to": lambda row: row[1]["worked_to"],
    "hours": lambda row: row[1]["quantity"],
    "currency": lambda row: row[0]["currency"],
    "rate": lambda row: row[1]["rate"]["amount"],
    "amount": lambda row: row[1]["amount"]["amount"],
    "tax_rate": lambda row: row[1]["tax_rate"],
    "tax": lambda row: row[1]["tax"]["amount"],
    "total": lambda row: row[1]["total"]["amount"],
}


class PdfResponse(Response):
    media_type = "application/pdf"


@routes.get(
    "/{invoice_id:int}.pdf",
    response_class=PdfResponse,
    responses=PDF,
    openapi_extra={"parameters": [IF_NONE_MATCH]},
)
@scope("invoices:read")
async def print_invoice(request: Request, invoice_id: int) -> Response:
    """The invoice as PDF, in the client's language: de, en, es, fr or nl, else in English. A draft
    and what is void say so across the page."""
    row = await require_invoice(request, invoice_id)
    headers = {"ETag": f'"{row["version"]}"', "Cache-Control": "private, no-cache"}
    if matches(request.headers.get("if-none-match", ""), row["version"]):
        return Response(status_code=304, headers=headers)
    return await printed(row["doc"], headers)


async def printed(doc: str, headers: dict[str, str]) -> Response:
    invoice = Invoice.model_validate_json(doc)
    page = await asyncio.get_running_loop().run_in_executor(PRINTER, _printed, invoice)
    headers["Content-Disposition"] = disposition(f"{invoice.reference}.pdf")
    return PdfResponse(page, headers=headers)


def _printed(invoice: Invoice) -> bytes:
    from gateway.invoicing.page import render  # takes half a second, and most never need it

    return render(invoice)


@routes.get(
    "/export.csv",
    status_code=200,
    response_class=CsvStream,
    responses=table("invoice,state,date,due", "INV-1,issued,2026-03-31,2026-04-30"),
)
@scope("invoices:read")
async def export_invoices(request: Request, query: Annotated[InvoiceFilters, Query()]) -> Response:
    """The filtered invoices as CSV for accounting, streamed, by number: a header, then a row a
    line of an invoice; UTF-8 with a byte order mark. A cell that a spreadsheet would run as a
    formula has an apostrophe before it.

    Columns: invoice, state, date, due, client_id, client, tax_id, line, ticket, description,
    worked_from, worked_to, hours, currency, rate, amount, tax_rate (percent), tax, total.
    """
    filters = query.filters(caller(request).within)
    return await streamed("invoices.csv", COLUMNS, partial(_page, request, filters), _rows)


async def _page(
    request: Request, filters: list[lists.Filter], limit: int, after: Place | None
) -> lists.Page:
    query = ListQuery("number", limit, after=after, filters=filters)
    return await lists.page(services(request).lists, INVOICE_LIST, query)


def _rows(doc: str) -> Iterable[Row]:
    invoice = orjson.loads(doc)
    return ((invoice, line) for line in invoice["lines"])
