"""``tickets/``: read, open, resolve."""

from collections.abc import Sequence
from typing import Any

import asyncpg
from fastapi import Response

from deskwire.blobs import fresh_place
from deskwire.contracts.mail import Body
from deskwire.contracts.terms import Priority
from deskwire.contracts.ticket_commands import ChangeTicket, OpenTicket, TicketChanges
from deskwire.errors import Forbidden, Invalid, NotFound
from gateway.api.answers import whole_docs
from gateway.api.commands import perform
from gateway.api.fields import body_of
from gateway.api.itflow import answers, php
from gateway.api.itflow.call import Call, made
from gateway.api.itflow.face import CREATE, READ, UPDATE, Face
from gateway.api.itflow.rows import Document, Table, id_of, null, updated, zero
from gateway.readmodel import offsets

STATUS = {
    "open": "Open",
    "working": "Working",
    "hold": "On Hold",
    "auto-close": "Auto Close",
    "closed": "Closed",
}
PRIORITIES: dict[str, Priority] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "urgent": "high",
}
NO_DETAILS = "< blank >"


async def read(call: Call) -> Response:
    """One ticket by ``ticket_id``, or a list in the order of the ids."""
    found = await _found(call)
    if not found:
        raise NotFound
    return await answers.rows(call, TABLE, await whole_docs(call.request, found))


async def _found(call: Call) -> Sequence[asyncpg.Record]:
    wanted = call.given("ticket_id")
    if wanted is not None:
        row = await ticket(call, php.integer(wanted), call.within)
        return [] if row is None else [row]
    if call.page is None:
        return []
    return await offsets.tickets(call.services.database, call.within, *call.page)


async def ticket(call: Call, id: int, within: int | None) -> asyncpg.Record | None:
    """The ticket's row, if it is of the client; 0: if it has none."""
    row = await call.services.tickets.get(id, within or None)
    return None if row is None or (within == 0 and row["client_id"] is not None) else row


async def create(call: Call) -> Response:
    """The client and the team are told of it as of every other ticket."""
    answer = await perform(call.request, await _command(call))
    return answers.created(call, answer.reply.ticket.id, replayed=answer.replayed)


async def _command(call: Call) -> OpenTicket:
    body, by = call.body, call.caller
    subject = php.line(body.get("ticket_subject"))
    if php.is_empty(subject) or len(subject) > 500:
        raise Invalid("ticket_subject")
    details = php.text(body.get("ticket_details")).strip()
    written = await body_of(details) if details else Body(text=NO_DETAILS, html=NO_DETAILS)
    contact_id = php.integer(body.get("ticket_contact_id")) or None
    assigned_to = php.integer(body.get("ticket_assigned_to")) or None
    if by.within is not None and assigned_to is not None:
        raise Forbidden("a key bound to a client assigns nobody")
    return made(
        OpenTicket,
        subject=subject,
        body=await call.services.blobs.fold(written, fresh_place()),
        client_id=call.client_id or None,
        contact_id=contact_id,
        priority=PRIORITIES.get(php.line(body.get("ticket_priority")).lower(), "low"),
        assigned_to=assigned_to,
        asset_ids=_ids(body.get("ticket_asset_id")),
        billable=php.integer(body["ticket_billable"]) == 1 if "ticket_billable" in body else None,
        author=by.author() if contact_id is None else by.agent,
        within_client=by.within,
    )


def _ids(given: Any) -> tuple[int, ...]:
    asset_id = php.integer(given)
    return (asset_id,) if asset_id else ()


async def resolve(call: Call) -> Response:
    """Closes it, of the client that the call is for; 0: of none."""
    ticket_id, client_id = php.integer(call.body.get("ticket_id")), call.client_id
    if client_id == 0 and await ticket(call, ticket_id, 0) is None:
        raise NotFound
    command = ChangeTicket(
        ticket_id=ticket_id,
        changes=TicketChanges(status="closed"),
        actor=call.caller.actor,
        refuse_unchanged=True,
        within_client=client_id or None,
    )
    answer = await perform(call.request, command)
    return answers.changed(call, replayed=answer.replayed)


def _agent(author: Document | None) -> str:
    return id_of(author) if author and author["type"] == "agent" else "0"


def _feedback(ticket: Document) -> str | None:
    told = ticket.get("feedback")
    return str(told["rating"]).capitalize() if told else None


TABLE = Table(
    {
        "ticket_id": lambda t: str(t["id"]),
        "ticket_prefix": lambda t: str(t["prefix"]),
        "ticket_number": lambda t: str(t["number"]),
        "ticket_category": lambda t: t["category"],
        "ticket_subject": lambda t: str(t["subject"]),
        "ticket_details": lambda t: php.html(t["body"]),
        "ticket_priority": lambda t: str(t["priority"]).capitalize(),
        "ticket_status": lambda t: STATUS[t["status"]],
        "ticket_feedback": _feedback,
        "ticket_created_at": lambda t: php.time(t["created_at"]),
        "ticket_updated_at": updated,
        "ticket_archived_at": null,
        "ticket_closed_at": lambda t: php.time(t["closed_at"]),
        "ticket_created_by": lambda t: _agent(t["created_by"]),
        "ticket_assigned_to": lambda t: id_of(t["assigned_to"]),
        "ticket_closed_by": lambda t: _agent(t["closed_by"]),
        "ticket_vendor_id": zero,
        "ticket_client_id": lambda t: id_of(t["client"]),
        "ticket_contact_id": lambda t: id_of(t["contact"]),
        "ticket_location_id": zero,
        "ticket_asset_id": lambda t: id_of(next(iter(t["assets"]), None)),
    }
)
"""In the order of the time when the columns also had numbers."""

FACES = (
    Face(
        "tickets/read",
        READ,
        "tickets:read",
        read,
        "One ticket by `ticket_id`, or a list",
        {"ticket_id": "this one", "client_id": "of this client", "limit": "", "offset": ""},
        gives=TABLE,
    ),
    Face(
        "tickets/create",
        CREATE,
        "tickets:write",
        create,
        "Open a ticket",
        {
            "client_id": "0: of no client",
            "ticket_contact_id": "0: the client's primary contact",
            "ticket_subject": "",
            "ticket_details": "text or HTML",
            "ticket_priority": "Low, Medium or High",
            "ticket_assigned_to": "0: nobody",
            "ticket_asset_id": "0: none",
            "ticket_billable": "0 or 1",
        },
        needs=("ticket_subject",),
    ),
    Face(
        "tickets/resolve",
        UPDATE,
        "tickets:write",
        resolve,
        "Close a ticket",
        {"ticket_id": "", "client_id": "that of the ticket; 0: it has none"},
        needs=("ticket_id",),
    ),
)
