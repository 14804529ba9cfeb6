"""The filtered list of tickets as a table for spreadsheets."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response

from gateway.api.answers import as_seen
from gateway.api.auth import caller, router, scope
from gateway.api.services import services
from gateway.api.spreadsheets import Columns, CsvStream, streamed, table
from gateway.api.ticket_lists import OfClients, TicketSelection, asked
from gateway.readmodel.lists import Page, Place

routes = router("/tickets", "tickets")


def _of(name: str, part: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda ticket: ticket.get(name) and ticket[name][part]


COLUMNS: Columns = {
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
    "feedback": _of("feedback", "rating"),
    "feedback_comment": _of("feedback", "comment"),
    "merged_into": lambda ticket: ticket["merged_into"],
}


class Export(OfClients, TicketSelection):
    """All tickets of a list, without pages."""


@routes.get(
    "/export.csv",
    status_code=200,
    response_class=CsvStream,
    responses=table("id,reference,subject,status", "12,TCK-12,Printer offline,open"),
)
@scope("tickets:read")
async def export_tickets(request: Request, query: Annotated[Export, Query()]) -> Response:
    """The filtered list as CSV, streamed: a header, then a row a ticket; UTF-8 with a byte order
    mark. A cell that a spreadsheet would run as a formula has an apostrophe before it.

    Columns: id, reference, subject, status, priority, category, source, client_id, client,
    contact_id, contact, contact_email, assigned_to_id, assigned_to, assets, tags, billable,
    time_worked (seconds), entry_count, due_at, first_response_at, created_at, updated_at,
    closed_at, feedback, feedback_comment, merged_into. Times are RFC 3339 UTC.
    """
    database, within = services(request).lists, caller(request).within
    of = await asked(database, query, query.filters(within), within)

    async def page(limit: int, after: Place | None) -> Page:
        found = await of.page(database, limit, after)
        docs = await as_seen(request, [row["doc"] for row in found.rows])
        return Page([{"doc": doc} for doc in docs], found.next)

    return await streamed("tickets.csv", COLUMNS, page, lambda doc: [orjson.loads(doc)])
