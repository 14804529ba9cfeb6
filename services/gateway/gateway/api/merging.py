"""Tickets are merged, and merges taken back."""

from typing import Annotated

from fastapi import Request, Response
from pydantic import Field

from deskwire.contracts.ticket_commands import MergedTickets, MergeTicket, UnmergeTicket
from gateway.api.auth import caller, router, scope
from gateway.api.commands import changed, perform
from gateway.api.fields import Id, Note, RequestBody
from gateway.api.services import services
from gateway.readmodel import reading
from gateway.readmodel.documents import shown

routes = router("/tickets/{ticket_id:int}", "tickets")


class Merge(RequestBody):
    """``across_clients``: the other ticket may be of another client."""

    into: Id
    reason: Annotated[Note, Field(max_length=500)] = ""
    across_clients: bool = False


@routes.post("/merge", response_model=MergedTickets)
@scope("tickets:write", everywhere=True)
async def merge_ticket(request: Request, ticket_id: int, merge: Merge) -> Response:
    """Show all of this ticket on another one; this one closes, and what comes for it lands there.

    409 for a ticket that is closed or merged itself, or is of another client.
    """
    by = caller(request)
    command = MergeTicket(
        ticket_id=ticket_id,
        into=merge.into,
        reason=merge.reason,
        across_clients=merge.across_clients,
        actor=by.actor,
    )
    return await _merged(request, command)


@routes.post("/unmerge", response_model=MergedTickets)
@scope("tickets:write", everywhere=True)
async def unmerge_ticket(request: Request, ticket_id: int) -> Response:
    """Take the merge of this ticket back, or the last one into it. Later replies stay there."""
    by = caller(request)
    return await _merged(request, UnmergeTicket(ticket_id=ticket_id, actor=by.actor))


async def _merged(request: Request, command: MergeTicket | UnmergeTicket) -> Response:
    answer = await perform(request, command)
    ids = (answer.reply.source.id, answer.reply.target.id)
    await reading.wait_for_entries(services(request).database, *ids)
    both = f'{{"source":{shown(answer.reply.source)},"target":{shown(answer.reply.target)}}}'
    return changed(request, both, replayed=answer.replayed)
