"""Tickets as a table for spreadsheets: CSV (RFC 4180) in UTF-8 with a byte order mark."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Annotated, Any

import orjson
import structlog
from fastapi import Query, Request, Response
from starlette.types import Receive, Scope, Send

from deskwire.db import Database
from gateway.api.auth import caller, router, scope
from gateway.api.services import services
from gateway.api.streaming import SEND_SECONDS, disconnected
from gateway.api.ticket_lists import Asked, OfClients, TicketSelection, asked

routes = router("/tickets", "tickets")
log = structlog.get_logger()

ROWS = 200
"""Read and sent at once: between two such pages no connection to the database is held."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would run (OWASP, CSV injection)."""

HEADERS = [
    (b"content-type", b"text/csv; charset=utf-8"),
    (b"content-disposition", b'attachment; filename="tickets.csv"'),
]


TABLE: dict[str, Any] = {"content": {"text/csv": {"schema": {"type": "string", "format": "csv"}}}}


def _of(name: str, part: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda ticket: ticket[name] and ticket[name][part]


COLUMNS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "id": lambda ticket: ticket["id"],
    "reference": lambda ticket: ticket["reference"],
    "subject": lambda ticket: ticket["subject"],
    "status": lambda ticket: ticket["status"],
    "priority": lambda ticket: ticket["priority"],
    "category": lambda ticket: ticket["category"],
    "source": lambda ticket: ticket["source"],
    "client_id": _of("client", "id"),
    "client": _of("client", "name"),
    "contact_id": _of("contact", "id"),
    "contact": _of("contact", "name"),
    "contact_email": _of("contact", "email"),
    "assigned_to_id": _of("assigned_to", "id"),
    "assigned_to": _of("assigned_to", "name"),
    "assets": lambda ticket: ", ".join(asset["name"] for asset in ticket["assets"]),
    "tags": lambda ticket: ", ".join(ticket["tags"]),
    "billable": lambda ticket: "true" if ticket["billable"] else "false",
    "time_worked": lambda ticket: ticket["time_worked"],
    "entry_count": lambda ticket: ticket["entry_count"],
    "due_at": lambda ticket: ticket["due_at"],
    "first_response_at": lambda ticket: ticket["first_response_at"],
    "created_at": lambda ticket: ticket["created_at"],
    "updated_at": lambda ticket: ticket["updated_at"],
    "closed_at": lambda ticket: ticket["closed_at"],
    "merged_into": lambda ticket: ticket["merged_into"],
}


class Export(OfClients, TicketSelection):
    """All tickets of a list, without pages."""


class CsvStream(Response):
    """Sends until all is sent, the client leaves, or takes nothing any more."""

    media_type = "text/csv"

    def __init__(self, parts: AsyncIterator[bytes], first: bytes) -> None:
        super().__init__()
        self._parts = parts
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["streams"] = True
        leaving = asyncio.create_task(disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
            await _send(send, self._first)
            async for part in self._parts:
                if leaving.done():
                    return
                await _send(send, part)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.warning("export given up: nobody takes it")
        finally:
            leaving.cancel()


async def _send(send: Send, part: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": part, "more_body": True})


@routes.get(
    "/export.csv",
    status_code=200,
    response_class=CsvStream,
    responses={200: TABLE},
)
@scope("tickets:read")
async def export_tickets(request: Request, query: Annotated[Export, Query()]) -> Response:
    """The filtered list as CSV, streamed: a header, then a row a ticket; UTF-8 with a byte order
    mark. A cell that a spreadsheet would run as a formula has an apostrophe before it.

    Columns: id, reference, subject, status, priority, category, source, client_id, client,
    contact_id, contact, contact_email, assigned_to_id, assigned_to, assets, tags, billable,
    time_worked (seconds), entry_count, due_at, first_response_at, created_at, updated_at,
    closed_at, merged_into. Times are RFC 3339 UTC.
    """
    database, within = services(request).lists, caller(request).within
    of = await asked(database, query, query.filters(within), within)
    parts = _parts(database, of)
    return CsvStream(parts, await anext(parts))


async def _parts(database: Database, of: Asked) -> AsyncIterator[bytes]:
    head = "\ufeff" + _lines([list(COLUMNS)])
    page = await of.page(database, ROWS, None)
    yield (head + _table([row["doc"] for row in page.rows])).encode()
    while page.next is not None:
        page = await of.page(database, ROWS, page.next)
        yield _table([row["doc"] for row in page.rows]).encode()


def _table(docs: Sequence[str]) -> str:
    tickets = map(orjson.loads, docs)
    return _lines([[_cell(column(each)) for column in COLUMNS.values()] for each in tickets])


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
