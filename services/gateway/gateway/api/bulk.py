"""The same change of many tickets, each by itself: one that fails harms no other."""

import asyncio
from typing import Annotated, Literal

from fastapi import Request, Response
from pydantic import BaseModel, Field

from deskwire.contracts.terms import Priority, Status
from deskwire.contracts.ticket_commands import ChangeTicket, MergeTicket, TicketChanges
from deskwire.errors import DeskwireError
from gateway.api.auth import Caller, caller, router, scope
from gateway.api.commands import changed, perform, request_id
from gateway.api.errors import STATUS
from gateway.api.fields import Id, Name, Note, RequestBody, Tags
from gateway.api.services import services
from gateway.readmodel import reading
from gateway.repeats import check_body

routes = router("/tickets", "tickets")

AT_ONCE = 20
MOVES: dict[str, Status] = {
    "close": "closed",
    "reopen": "open",
    "hold": "hold",
    "auto-close": "auto-close",
}


class _Bulk(RequestBody):
    ids: tuple[Id, ...] = Field(min_length=1, max_length=200)


class BulkAssign(_Bulk):
    action: Literal["assign"]
    agent_id: Id | None

    def changes(self) -> TicketChanges:
        return TicketChanges(assigned_to=self.agent_id)


class BulkMove(_Bulk):
    action: Literal["close", "reopen", "hold", "auto-close"]

    def changes(self) -> TicketChanges:
        return TicketChanges(status=MOVES[self.action])


class BulkPriority(_Bulk):
    action: Literal["priority"]
    priority: Priority

    def changes(self) -> TicketChanges:
        return TicketChanges(priority=self.priority)


class BulkCategory(_Bulk):
    action: Literal["category"]
    category: Name | None

    def changes(self) -> TicketChanges:
        return TicketChanges(category=self.category)


class BulkTags(_Bulk):
    action: Literal["tags"]
    tags: Tags

    def changes(self) -> TicketChanges:
        return TicketChanges(tags=self.tags)


class BulkMerge(_Bulk):
    """Into one ticket, in the order that they are named in."""

    action: Literal["merge"]
    into: Id
    reason: Annotated[Note, Field(max_length=500)] = ""
    across_clients: bool = False


Bulk = BulkAssign | BulkMove | BulkPriority | BulkCategory | BulkTags | BulkMerge


class BulkResult(BaseModel):
    """``version`` is the ticket's now; ``code`` and ``detail`` say why it was not done."""

    id: int
    status: int
    version: int | None = None
    code: str | None = None
    detail: str | None = None


class BulkResults(BaseModel):
    results: list[BulkResult]


@routes.post("/bulk", response_model=BulkResults)
@scope("tickets:write", everywhere=True)
async def change_many_tickets(
    request: Request, bulk: Annotated[Bulk, Field(discriminator="action")]
) -> Response:
    """One change of up to 200 tickets. Each is told of by itself, with the status it would have."""
    by = caller(request)
    id = request_id(request)  # one for all that follows
    if "idempotency-key" in request.headers:
        await check_body(services(request).database, id, bulk.model_dump_json().encode())
    ids = list(dict.fromkeys(bulk.ids))
    limit = asyncio.Semaphore(1 if isinstance(bulk, BulkMerge) else AT_ONCE)

    async def one(id: int) -> tuple[BulkResult, bool]:
        async with limit:
            return await _result(request, by, bulk, id)

    found = await asyncio.gather(*map(one, ids))
    if isinstance(bulk, BulkMerge):
        await reading.wait_for_entries(services(request).database, bulk.into)
    results = BulkResults(results=[result for result, _ in found])
    replayed = all(replayed for _, replayed in found)
    return changed(request, results.model_dump_json(), replayed=replayed)


async def _result(request: Request, by: Caller, bulk: Bulk, id: int) -> tuple[BulkResult, bool]:
    """What became of one, and whether that was so before."""
    try:
        version, replayed = await _done(request, by, bulk, id)
    except DeskwireError as error:
        status = STATUS.get(error.code, 500)
        return BulkResult(id=id, status=status, code=error.code, detail=str(error)), False
    return BulkResult(id=id, status=200, version=version), replayed


async def _done(request: Request, by: Caller, bulk: Bulk, id: int) -> tuple[int, bool]:
    part = str(id)
    if isinstance(bulk, BulkMerge):
        merge = MergeTicket(
            ticket_id=id, actor=by.actor, **bulk.model_dump(exclude={"ids", "action"})
        )
        merged = await perform(request, merge, part=part)
        return merged.reply.source.version, merged.replayed
    change = ChangeTicket(ticket_id=id, changes=bulk.changes(), actor=by.actor)
    answer = await perform(request, change, part=part)
    return answer.reply.version, answer.replayed
