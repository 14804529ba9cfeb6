"""When an agent is told of what."""

from typing import Annotated, get_args

from fastapi import Request, Response
from pydantic import Field

from deskwire.contracts.notifications import (
    AgentEvent,
    AgentNotifications,
    QuietHours,
    SetAgentNotifications,
    Telling,
    Weekday,
)
from gateway.api import answers
from gateway.api.auth import router, scope
from gateway.api.commands import changed, perform
from gateway.api.fields import Language, RequestBody, Shape, Zone
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.records import require
from gateway.api.services import services
from gateway.readmodel import reading

routes = router("/agents/{agent_id:int}/notifications", "agents")

Clock = Annotated[
    str,
    Field(examples=["22:00"]),
    Shape(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "a time of day as in `22:00`"),
]


class QuietTimes(RequestBody):
    """In which no mail goes out to the agent; past midnight when the end is before the start."""

    start: Clock
    end: Clock


class NotificationChoices(RequestBody):
    """``events``: what is left out is told at once. ``timezone`` is of all hours here;
    ``digest_hour`` is when daily and weekly digests go out; ``language``: null for the team's."""

    events: Annotated[dict[AgentEvent, Telling], Field(max_length=50)] = Field(default_factory=dict)
    quiet_hours: QuietTimes | None = None
    timezone: Zone = "UTC"
    digest_hour: int = Field(8, strict=True, ge=0, le=23)
    digest_day: Weekday = "monday"
    language: Language | None = None


@routes.get("", response_model=AgentNotifications)
@scope("agents:read", everywhere=True)
async def read_notifications(request: Request, agent_id: int) -> Response:
    """What the agent is told of, and when."""
    await require(request, "agent", agent_id)
    row = await reading.record(services(request).database, "notifications", agent_id, None)
    if row is None:
        wants = AgentNotifications(agent_id=agent_id)
        return answers.found(request, {"version": 0}, _whole(wants))
    return answers.found(request, row, _whole(AgentNotifications.model_validate_json(row["doc"])))


@routes.put("", response_model=AgentNotifications, openapi_extra=IF_SEEN)
@scope("agents:write", everywhere=True)
async def set_notifications(
    request: Request, agent_id: int, choices: NotificationChoices
) -> Response:
    """Choose all of it anew."""
    await require(request, "agent", agent_id)
    quiet = choices.quiet_hours and QuietHours(**choices.quiet_hours.model_dump())
    values = choices.model_dump(exclude={"quiet_hours"})
    wants = AgentNotifications(agent_id=agent_id, quiet_hours=quiet, **values)
    command = SetAgentNotifications(notifications=wants, if_version=version_if_given(request))
    answer = await perform(request, command)
    chosen = answer.reply
    return changed(request, _whole(chosen), chosen.version, replayed=answer.replayed)


def _whole(wants: AgentNotifications) -> str:
    """With every event that there is."""
    events = {event: wants.events.get(event, "now") for event in get_args(AgentEvent)}
    return wants.model_copy(update={"events": events}).model_dump_json()
