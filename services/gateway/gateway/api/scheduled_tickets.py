"""Scheduled tickets: when, and the ticket that is opened each time."""

from typing import Annotated, Any

import orjson
from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.schedules import (
    CatchUp,
    ChangeSchedule,
    CreateSchedule,
    DaysOff,
    Every,
    Occurrences,
    PreviewSchedule,
    RunSchedule,
    Schedule,
    ScheduleChanges,
)
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.errors import Conflict, Forbidden, NotFound
from gateway.api import answers
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record, perform, write_record
from gateway.api.fields import Ids, Moment, Name, RequestBody, Text, Zone, body_of
from gateway.api.pages import Page
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.records import OfClients, list_records, require
from gateway.api.tickets import TicketTemplate
from gateway.readmodel.documents import text_of
from gateway.readmodel.lists import Filter

routes = router("/scheduled-tickets", "scheduled tickets")

Cron = Annotated[str, Field(min_length=1, max_length=500, description="as in `0 9 * * mon`")]
Rrule = Annotated[
    str,
    Field(min_length=1, max_length=500, description="RFC 5545, as in `FREQ=MONTHLY;BYDAY=1MO`"),
]
Count = Annotated[int, Field(strict=True, ge=1, le=100_000, description="tickets, then it ends")]
Lead = Annotated[
    int,
    Field(strict=True, ge=0, le=366 * 86_400, description="so long before it the ticket is opened"),
]
Rotation = Annotated[Ids, Field(description="agents who get one ticket after the other")]


class ScheduledTicket(TicketTemplate):
    body: Annotated[Text, Field(max_length=16 * 1024)]


class NewSchedule(RequestBody):
    """One of `cron`, `every` and `rrule`. The latter two begin at `starts_at`, whose time of day in
    the zone is theirs; `every` stays at the end of the month when it begins there."""

    name: Name
    cron: Cron | None = None
    every: Every | None = None
    rrule: Rrule | None = None
    timezone: Zone = "UTC"
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    count: Count | None = None
    lead_seconds: Lead = 0
    days_off: DaysOff = Field(
        "open",
        description="on a holiday of the client's or a day without hours of work it is opened, "
        "left out, or opened on the day of work before or after",
    )
    catch_up: CatchUp = Field("last", description="what has its ticket late, after an outage")
    rotation: Rotation = ()
    ticket: ScheduledTicket


class ScheduleChange(RequestBody):
    """What is left out stays as it is; null takes back. A new rule takes the place of the old one,
    of whichever kind."""

    name: Name | None = None
    cron: Cron | None = None
    every: Every | None = None
    rrule: Rrule | None = None
    timezone: Zone | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    count: Count | None = None
    lead_seconds: Lead | None = None
    days_off: DaysOff | None = None
    catch_up: CatchUp | None = None
    rotation: Rotation | None = None
    ticket: ScheduledTicket | None = None


class Preview(RequestBody):
    count: int = Field(10, ge=1, le=100)


RULES = ("cron", "every", "rrule")
NOT_DELETED = Filter("archived", "one", value=False)


@routes.get("", response_model=Page[Schedule])
@scope("scheduled-tickets:read")
async def list_scheduled_tickets(
    request: Request, query: Annotated[OfClients, Query()]
) -> Response:
    """The scheduled tickets."""
    return await list_records(request, "schedule", query, NOT_DELETED)


@routes.get("/{schedule_id:int}", response_model=Schedule)
@scope("scheduled-tickets:read")
async def read_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """One scheduled ticket."""
    row = await require(request, "schedule", schedule_id)
    if row["archived"]:
        raise NotFound(f"there is no schedule {schedule_id}")
    return answers.found(request, row)


@routes.get("/{schedule_id:int}/preview", response_model=Occurrences)
@scope("scheduled-tickets:read")
async def preview_scheduled_ticket(
    request: Request, schedule_id: int, query: Annotated[Preview, Query()]
) -> Response:
    """The next runs, as holidays and hours of work are now."""
    command = PreviewSchedule(
        id=schedule_id, count=query.count, within_client=caller(request).within
    )
    reply = (await perform(request, command)).reply
    return answers.tagged(request, text_of(reply))


@routes.post("", status_code=201, response_model=Schedule)
@scope("scheduled-tickets:write")
async def create_scheduled_ticket(request: Request, new: NewSchedule) -> Response:
    """Schedule a ticket."""
    values = {name: getattr(new, name) for name in new.model_fields_set - {"ticket"}}
    await _require_agents(request, new.rotation)
    command = CreateSchedule(**values, ticket=await _ticket(request, new.ticket))
    return await create_record(request, command, "/api/v1/scheduled-tickets")


@routes.patch("/{schedule_id:int}", response_model=Schedule, openapi_extra=IF_SEEN)
@scope("scheduled-tickets:write")
async def change_scheduled_ticket(
    request: Request, schedule_id: int, change: ScheduleChange
) -> Response:
    """Change what is given. With another rule or time it runs as if it were new from now on."""
    values = {name: getattr(change, name) for name in change.model_fields_set}
    kept = {"name", "timezone", "lead_seconds", "days_off", "catch_up", "rotation", "ticket"}
    values = {n: v for n, v in values.items() if v is not None or n not in kept}
    if any(values.get(rule) is not None for rule in RULES):
        values = dict.fromkeys(RULES) | values
    if change.rotation:
        await _require_agents(request, change.rotation)
    if change.ticket is not None:
        values["ticket"] = await _ticket(request, change.ticket)
    return await _changed(request, schedule_id, **values)


@routes.post("/{schedule_id:int}/pause", response_model=Schedule, openapi_extra=IF_SEEN)
@scope("scheduled-tickets:write")
async def pause_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """No ticket is opened until it is resumed."""
    return await _changed(request, schedule_id, paused=True)


@routes.post("/{schedule_id:int}/resume", response_model=Schedule, openapi_extra=IF_SEEN)
@scope("scheduled-tickets:write")
async def resume_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """It goes on with its next run; those that it was paused for were not missed. 409 while its
    client is archived."""
    await _require_client_of(request, schedule_id)
    return await _changed(request, schedule_id, paused=False)


@routes.post("/{schedule_id:int}/run", status_code=202, response_model=Schedule)
@scope("scheduled-tickets:write")
async def run_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """Open a ticket now. It counts as a run, and the next one stays when it is. 409 while its
    client is archived."""
    await _require_client_of(request, schedule_id)
    command = RunSchedule(id=schedule_id, within_client=caller(request).within)
    return await write_record(request, command, status=202)


@routes.delete("/{schedule_id:int}", response_model=Schedule, openapi_extra=IF_SEEN)
@scope("scheduled-tickets:write")
async def delete_scheduled_ticket(request: Request, schedule_id: int) -> Response:
    """Open no more of it. Its tickets stay."""
    return await _changed(request, schedule_id, deleted=True)


async def _changed(request: Request, schedule_id: int, **values: Any) -> Response:
    command = ChangeSchedule(
        id=schedule_id,
        changes=ScheduleChanges(**values),
        if_version=version_if_given(request),
        within_client=caller(request).within,
    )
    return await write_record(request, command)


async def _ticket(request: Request, template: ScheduledTicket) -> OpenTicket:
    """Raises `NotFound` for what no ticket could be opened with, years later and unseen."""
    ticket = template.command(await body_of(template.body), caller(request))
    named = [
        ("client", ticket.client_id, "client_id"),
        ("contact", ticket.contact_id, "contact_id"),
        ("agent", ticket.assigned_to, "assigned_to"),
        *(("asset", asset_id, "asset_ids") for asset_id in ticket.asset_ids),
    ]
    for kind, id, field in named:
        if id is not None:
            await _require(request, kind, id, f"ticket.{field}", of=ticket.client_id)
    return ticket.model_copy(update={"source": "schedule"})


async def _require(
    request: Request, kind: str, id: int, field: str, *, of: int | None = None
) -> None:
    """As a ticket of the client could have it. Raises `NotFound`."""
    row = await require(request, kind, id, field=field)
    others = kind in ("contact", "asset") and orjson.loads(row["doc"])["client_id"] != of
    if row["archived"] or others:
        raise NotFound(f"there is no {kind} {id}", field=field)


async def _require_client_of(request: Request, schedule_id: int) -> None:
    """Raises `Conflict` when no ticket can be opened."""
    schedule = await require(request, "schedule", schedule_id)
    client_id = orjson.loads(schedule["doc"])["ticket"]["client_id"]
    if client_id is not None and (await require(request, "client", client_id))["archived"]:
        raise Conflict("its client is archived")


async def _require_agents(request: Request, rotation: tuple[int, ...]) -> None:
    if rotation and caller(request).within is not None:
        raise Forbidden("a key bound to a client assigns nobody")
    for agent_id in rotation:
        await _require(request, "agent", agent_id, "rotation")
