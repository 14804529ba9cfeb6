"""Tickets are changed: their fields, their status, who has them, who and what belongs to them."""

from typing import Literal

import orjson
from fastapi import Request, Response
from pydantic import BaseModel, Field

from deskwire.contracts.actors import Named
from deskwire.contracts.terms import Priority, Status
from deskwire.contracts.ticket_commands import ChangeTicket, TicketChanges
from deskwire.contracts.tickets import Ticket
from deskwire.errors import NotFound
from deskwire.messaging.requests import Answer
from gateway.api import answers
from gateway.api.auth import caller, router, scope
from gateway.api.commands import changed, perform
from gateway.api.fields import Addresses, Hours, Id, Ids, Moment, Name, RequestBody, Subject, Tags
from gateway.api.preconditions import IF_SEEN, version_if_given, version_seen
from gateway.api.tickets import seen
from gateway.readmodel.documents import shown

routes = router("/tickets/{ticket_id:int}", "tickets")


class TicketChange(RequestBody):
    """What is left out stays as it is; null takes back. Closed is a ticket by `/close` alone."""

    subject: Subject | None = None
    status: Literal["open", "working", "hold", "auto-close"] | None = None
    priority: Priority | None = None
    category: Name | None = None
    client_id: Id | None = Field(None, description="For a ticket that is of no client yet")
    contact_id: Id | None = None
    assigned_to: Id | None = None
    asset_ids: Ids | None = None
    tags: Tags | None = None
    billable: bool | None = None
    due_at: Moment | None = None

    def changes(self) -> TicketChanges:
        """What is always there cannot be taken back: its null is as left out."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {"subject", "status", "priority", "client_id", "asset_ids", "tags", "billable"}
        return TicketChanges(**{n: v for n, v in given.items() if v is not None or n not in kept})


class Assignment(RequestBody):
    agent_id: Id | None = Field(description="null: nobody")


class Closing(RequestBody):
    """Until it is closed, in hours of work or of the clock as the client's settings have it."""

    hours: Hours


class Watchers(BaseModel):
    watchers: tuple[str, ...]


class Assets(BaseModel):
    assets: tuple[Named, ...]


class TagList(BaseModel):
    tags: tuple[str, ...]


class NewWatchers(RequestBody):
    watchers: Addresses


class NewAssets(RequestBody):
    asset_ids: Ids


class NewTags(RequestBody):
    tags: Tags


@routes.patch("", response_model=Ticket)
@scope("tickets:write", everywhere=True)
async def change_ticket(request: Request, ticket_id: int, change: TicketChange) -> Response:
    """Change fields. `If-Match` is required: 428 without it, 412 when it has changed since."""
    return await _changed(request, ticket_id, change.changes(), version_seen(request))


@routes.post("/assign", response_model=Ticket)
@scope("tickets:write", everywhere=True)
async def assign_ticket(request: Request, ticket_id: int, to: Assignment) -> Response:
    """Give the ticket to an agent, to another one, or to nobody. The agent is told by mail."""
    try:
        return await _changed(request, ticket_id, TicketChanges(assigned_to=to.agent_id))
    except NotFound as missing:  # what a ticket calls the agent
        raise NotFound(str(missing), field=missing.field and "agent_id") from missing


@routes.post("/close", response_model=Ticket, openapi_extra=IF_SEEN)
@scope("tickets:write")
async def close_ticket(request: Request, ticket_id: int) -> Response:
    """Close it. The client is told by mail; an answer to that opens the ticket again."""
    return await _moved(request, ticket_id, "closed")


@routes.post("/reopen", response_model=Ticket, openapi_extra=IF_SEEN)
@scope("tickets:write")
async def reopen_ticket(request: Request, ticket_id: int) -> Response:
    """Open it again, whatever its status."""
    return await _moved(request, ticket_id, "open")


@routes.post("/hold", response_model=Ticket, openapi_extra=IF_SEEN)
@scope("tickets:write", everywhere=True)
async def hold_ticket(request: Request, ticket_id: int) -> Response:
    """Put it on hold: 409 while it is closed."""
    return await _moved(request, ticket_id, "hold")


@routes.post("/auto-close", response_model=Ticket, openapi_extra=IF_SEEN)
@scope("tickets:write", everywhere=True)
async def auto_close_ticket(
    request: Request, ticket_id: int, closing: Closing | None = None
) -> Response:
    """Let it wait for its client, who is reminded once before it is closed: 409 while it is closed.

    `hours` from now instead of those of the settings; of a ticket that waits already they put off
    the closing. The reminder leaves as much time as with the settings' hours, or half of fewer.
    """
    return await _moved(request, ticket_id, "auto-close", hours=closing.hours if closing else None)


@routes.get("/watchers", response_model=Watchers)
@scope("tickets:read")
async def read_watchers(request: Request, ticket_id: int) -> Response:
    """Who gets the public replies too, by e-mail address."""
    return await _part(request, ticket_id, "watchers")


@routes.put("/watchers", response_model=Watchers)
@scope("tickets:write", everywhere=True)
async def replace_watchers(request: Request, ticket_id: int, new: NewWatchers) -> Response:
    """These instead of the ones that there are. `If-Match` is required."""
    changes = TicketChanges(watchers=new.watchers)
    return await _replaced(request, ticket_id, changes, "watchers")


@routes.get("/assets", response_model=Assets)
@scope("tickets:read")
async def read_assets(request: Request, ticket_id: int) -> Response:
    """What the ticket is about."""
    return await _part(request, ticket_id, "assets")


@routes.put("/assets", response_model=Assets)
@scope("tickets:write", everywhere=True)
async def replace_assets(request: Request, ticket_id: int, new: NewAssets) -> Response:
    """These instead of the ones that there are. `If-Match` is required."""
    changes = TicketChanges(asset_ids=new.asset_ids)
    return await _replaced(request, ticket_id, changes, "assets")


@routes.get("/tags", response_model=TagList)
@scope("tickets:read")
async def read_tags(request: Request, ticket_id: int) -> Response:
    """Its tags."""
    return await _part(request, ticket_id, "tags")


@routes.put("/tags", response_model=TagList)
@scope("tickets:write", everywhere=True)
async def replace_tags(request: Request, ticket_id: int, new: NewTags) -> Response:
    """These instead of the ones that there are. `If-Match` is required."""
    return await _replaced(request, ticket_id, TicketChanges(tags=new.tags), "tags")


async def _moved(
    request: Request, ticket_id: int, status: Status, *, hours: int | None = None
) -> Response:
    changes = TicketChanges(status=status)
    return await _changed(request, ticket_id, changes, version_if_given(request), hours=hours)


async def _changed(
    request: Request,
    ticket_id: int,
    changes: TicketChanges,
    version: int | None = None,
    *,
    hours: int | None = None,
) -> Response:
    answer = await _change(request, ticket_id, changes, version, hours=hours)
    (doc,) = await answers.as_seen(request, [shown(answer.reply)])
    return changed(request, doc, answer.reply.version, replayed=answer.replayed)


async def _replaced(
    request: Request, ticket_id: int, changes: TicketChanges, part: str
) -> Response:
    answer = await _change(request, ticket_id, changes, version_seen(request))
    doc = answer.reply.model_dump_json(include={part})
    return changed(request, doc, answer.reply.version, replayed=answer.replayed)


async def _change(
    request: Request,
    ticket_id: int,
    changes: TicketChanges,
    version: int | None,
    *,
    hours: int | None = None,
) -> Answer[Ticket]:
    by = caller(request)
    command = ChangeTicket(
        ticket_id=ticket_id,
        changes=changes,
        close_in_hours=hours,
        actor=by.actor,
        if_version=version,
        within_client=by.within,
    )
    return await perform(request, command)


async def _part(request: Request, ticket_id: int, part: str) -> Response:
    row = await seen(request, ticket_id)
    doc = orjson.dumps({part: orjson.loads(row["doc"])[part]}).decode()
    return answers.found(request, row, doc)
