"""Timers: an agent starts one on a ticket and stops it, and that is time worked.

A timer is a time entry whose seconds are not known yet, so it outlives every restart. Closing its
ticket leaves it running; when its ticket is merged, it goes along.
"""

from fastapi import Request, Response
from pydantic import BaseModel, Field

from deskwire.contracts.timekeeping import StartTimer, StopTimer, TimeEntry
from gateway.api import answers
from gateway.api.auth import caller, router, scope
from gateway.api.fields import Id, RequestBody
from gateway.api.records import require
from gateway.api.services import services
from gateway.api.time_entries import About, time_changed, time_created
from gateway.readmodel.timekeeping import running_timer

routes = router("", "time")


class NewTimer(RequestBody):
    """Without ``agent_id`` it is that of the key's agent."""

    agent_id: Id | None = None
    billable: bool | None = None
    note: About = ""
    switch: bool = Field(default=False, description="stop the one that runs, wherever it does")


class TimerEnd(RequestBody):
    """Without ``note`` it keeps the one that it was started with."""

    agent_id: Id | None = None
    note: About | None = None


class Timer(BaseModel):
    """``timer`` is null while none runs."""

    timer: TimeEntry | None


@routes.post("/tickets/{ticket_id:int}/time/start", status_code=201, response_model=TimeEntry)
@scope("tickets:write", everywhere=True)
async def start_timer(request: Request, ticket_id: int, new: NewTimer | None = None) -> Response:
    """Start a timer. An agent has one at most: 409 names the one that runs, `switch` stops it."""
    by = caller(request)
    command = StartTimer(ticket_id=ticket_id, actor=by.actor, **(new or NewTimer()).model_dump())
    return await time_created(request, ticket_id, command)


@routes.post("/tickets/{ticket_id:int}/time/stop", response_model=TimeEntry)
@scope("tickets:write", everywhere=True)
async def stop_timer(request: Request, ticket_id: int, end: TimerEnd | None = None) -> Response:
    """Stop the timer on this ticket: 409 when none runs, or it runs on another one."""
    by = caller(request)
    command = StopTimer(ticket_id=ticket_id, actor=by.actor, **(end or TimerEnd()).model_dump())
    return await time_changed(request, command)


@routes.get("/agents/{agent_id:int}/timer", response_model=Timer)
@scope("tickets:read", everywhere=True)
async def read_timer(request: Request, agent_id: int) -> Response:
    """The timer that the agent has running."""
    await require(request, "agent", agent_id)
    doc = await running_timer(services(request).database, agent_id)
    return answers.tagged(request, f'{{"timer":{doc or "null"}}}')
