"""Scheduled tickets: a rule, and the ticket that each occurrence opens."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.schedules import CreateSchedule, Schedule
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Name, RequestBody, Text, body_of
from gateway.api.pages import Page
from gateway.api.records import OfClients, list_records, read_record, require
from gateway.api.tickets import TicketTemplate

routes = router("/scheduled-tickets", "scheduled tickets")


class ScheduledTicket(TicketTemplate):
    body: Annotated[Text, Field(max_length=16 * 1024)]


class NewSchedule(RequestBody):
    name: Name
    cron: Name = Field(description="as in `0 9 * * mon`")
    timezone: str = Field("UTC", pattern=r"^[A-Za-z0-9_+/-]{1,64}$", description="an IANA name")
    ticket: ScheduledTicket


@routes.get("", response_model=Page[Schedule])
@scope("scheduled-tickets:read")
async def list_scheduled_tickets(
    request: Request, query: Annotated[OfClients, Query()]
) -> Response:
    """The scheduled tickets."""
    return await list_records(request, "schedule", query)


@routes.get("/{schedule_id:int}", response_model=Schedule)
@scope("scheduled-tickets:read")
async def read_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """One scheduled ticket."""
    return await read_record(request, "schedule", schedule_id)


@routes.post("", status_code=201, response_model=Schedule)
@scope("scheduled-tickets:write")
async def create_scheduled_ticket(request: Request, new: NewSchedule) -> Response:
    """Schedule a ticket."""
    ticket = new.ticket.command(await body_of(new.ticket.body), caller(request))
    await _require(request, new.ticket)
    command = CreateSchedule(
        name=new.name,
        cron=new.cron,
        timezone=new.timezone,
        ticket=ticket.model_copy(update={"source": "schedule"}),
    )
    return await create_record(request, command, "/api/v1/scheduled-tickets")


async def _require(request: Request, template: TicketTemplate) -> None:
    """Raises `NotFound` for what no ticket could be opened with, years later and unseen."""
    named = [
        ("client", template.client_id),
        ("contact", template.contact_id),
        ("agent", template.assigned_to),
        *(("asset", asset_id) for asset_id in template.asset_ids),
    ]
    for kind, id in named:
        if id is not None:
            await require(request, kind, id)
