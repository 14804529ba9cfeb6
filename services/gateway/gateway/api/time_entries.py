"""Time worked on a ticket. It is the team's alone: a key that is bound to a client sees none."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.timekeeping import (
    LONGEST_TIME,
    AddTime,
    ChangeTime,
    RemoveTime,
    StartTimer,
    StopTimer,
    TimeChanges,
    TimeEntry,
)
from deskwire.errors import NotFound
from gateway.api import answers, pages
from gateway.api.auth import caller, router, scope
from gateway.api.commands import changed, created, perform
from gateway.api.entries import shown_on
from gateway.api.fields import Id, Moment, Note, RequestBody
from gateway.api.pages import Page, Paging
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.services import services
from gateway.readmodel import timekeeping
from gateway.readmodel.documents import text_of
from gateway.readmodel.lists import TIME_LIST, Filter

routes = router("/tickets/{ticket_id:int}/time", "time")

Seconds = Annotated[int, Field(strict=True, ge=1, le=LONGEST_TIME)]
About = Annotated[Note, Field(max_length=5000)]


class NewTime(RequestBody):
    """Without ``agent_id`` it is the time of the key's agent; without ``started_at`` it ends now;
    without ``billable`` it is so if the ticket is."""

    seconds: Seconds
    agent_id: Id | None = None
    started_at: Moment | None = None
    billable: bool | None = None
    note: About = ""


class TimeChange(RequestBody):
    """What is left out, or null, stays as it is."""

    seconds: Seconds | None = None
    agent_id: Id | None = None
    started_at: Moment | None = None
    billable: bool | None = None
    note: About | None = None

    def changes(self) -> TimeChanges:
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return TimeChanges(**{n: v for n, v in given.items() if v is not None})


class TimePaging(Paging):
    sort: Literal["started_at", "-started_at"] = "started_at"


@routes.get("", response_model=Page[TimeEntry])
@scope("tickets:read", everywhere=True)
async def list_time(
    request: Request, ticket_id: int, query: Annotated[TimePaging, Query()]
) -> Response:
    """What was worked on it, and the timers that run (`seconds` is null); oldest first.

    Of a merged ticket it is that of its target.
    """
    ticket_id = await shown_on(request, ticket_id)
    filters = [Filter("ticket_id", "one", ticket_id), Filter("deleted_at", "none")]
    return await pages.listed(request, TIME_LIST, query, sort=query.sort, filters=filters)


@routes.get("/{time_id:int}", response_model=TimeEntry)
@scope("tickets:read", everywhere=True)
async def read_time(request: Request, ticket_id: int, time_id: int) -> Response:
    """One time entry."""
    ticket_id = await shown_on(request, ticket_id)
    row = await timekeeping.time_entry(services(request).database, time_id, ticket_id)
    if row is None:
        raise NotFound(f"there is no time entry {time_id} on ticket {ticket_id}")
    return answers.found(request, row)


@routes.post("", status_code=201, response_model=TimeEntry)
@scope("tickets:write", everywhere=True)
async def add_time(request: Request, ticket_id: int, new: NewTime) -> Response:
    """Tell time that was worked. With an agent's key it is the agent's own; with another one the
    agent must be named."""
    by = caller(request)
    command = AddTime(ticket_id=ticket_id, actor=by.actor, **new.model_dump())
    return await time_created(request, ticket_id, command)


@routes.patch("/{time_id:int}", response_model=TimeEntry, openapi_extra=IF_SEEN)
@scope("tickets:write", everywhere=True)
async def change_time(
    request: Request, ticket_id: int, time_id: int, change: TimeChange
) -> Response:
    """Change it, and with it the `time_worked` of its ticket and of the reply that it was written
    with. 409 for the seconds of a timer that runs; an agent's key changes its agent's alone."""
    by = caller(request)
    command = ChangeTime(
        ticket_id=ticket_id,
        time_id=time_id,
        changes=change.changes(),
        actor=by.actor,
        if_version=version_if_given(request),
    )
    return await time_changed(request, command)


@routes.delete("/{time_id:int}", response_model=TimeEntry)
@scope("tickets:write", everywhere=True)
async def remove_time(request: Request, ticket_id: int, time_id: int) -> Response:
    """Take it back, or a timer that runs. What it was stays in the ticket's history."""
    by = caller(request)
    command = RemoveTime(ticket_id=ticket_id, time_id=time_id, actor=by.actor)
    return await time_changed(request, command)


async def time_created(request: Request, ticket_id: int, command: AddTime | StartTimer) -> Response:
    answer = await perform(request, command)
    time = answer.reply.time
    place = f"/api/v1/tickets/{ticket_id}/time/{time.id}"
    return created(request, place, text_of(time), time.version, replayed=answer.replayed)


async def time_changed(request: Request, command: ChangeTime | RemoveTime | StopTimer) -> Response:
    answer = await perform(request, command)
    time = answer.reply.time
    return changed(request, text_of(time), time.version, replayed=answer.replayed)
