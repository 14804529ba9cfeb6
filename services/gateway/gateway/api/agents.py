"""Agents: the team that answers."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import ChangeAgent, CreateAgent
from deskwire.contracts.records import Agent
from gateway.api.auth import router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Address, Name, Note, Rate, RequestBody
from gateway.api.pages import Page
from gateway.api.preconditions import IF_SEEN
from gateway.api.records import (
    NamedPaging,
    archive_record,
    change_record,
    list_records,
    read_record,
)

routes = router("/agents", "agents")


class NewAgent(RequestBody):
    """``rate``: where the client that it works for has none."""

    name: Name
    email: Address
    rate: Rate | None = None


class AgentChange(RequestBody):
    name: Name | None = None
    email: Address | None = None
    rate: Rate | None = None


class AgentQuery(NamedPaging):
    email: Note | None = Field(None, max_length=320)


@routes.get("", response_model=Page[Agent])
@scope("agents:read")
async def list_agents(request: Request, query: Annotated[AgentQuery, Query()]) -> Response:
    """The agents. A key bound to a client sees none."""
    return await list_records(request, "agent", query)


@routes.get("/{agent_id:int}", response_model=Agent)
@scope("agents:read")
async def read_agent(request: Request, agent_id: int) -> Response:
    """One agent."""
    return await read_record(request, "agent", agent_id)


@routes.post("", status_code=201, response_model=Agent)
@scope("agents:write", everywhere=True)
async def create_agent(request: Request, new: NewAgent) -> Response:
    """Make an agent."""
    return await create_record(request, CreateAgent(**new.model_dump()), "/api/v1/agents")


@routes.patch("/{agent_id:int}", response_model=Agent, openapi_extra=IF_SEEN)
@scope("agents:write", everywhere=True)
async def change_agent(request: Request, agent_id: int, change: AgentChange) -> Response:
    """Change what is given; null takes the rate back."""
    return await change_record(request, ChangeAgent, agent_id, change)


@routes.post("/{agent_id:int}/archive", response_model=Agent, openapi_extra=IF_SEEN)
@scope("agents:write", everywhere=True)
async def archive_agent(request: Request, agent_id: int) -> Response:
    """Tickets keep it; none can be given to it. Its keys must be revoked."""
    return await archive_record(request, ChangeAgent, agent_id, archived=True)


@routes.post("/{agent_id:int}/unarchive", response_model=Agent, openapi_extra=IF_SEEN)
@scope("agents:write", everywhere=True)
async def unarchive_agent(request: Request, agent_id: int) -> Response:
    """Take it back, unless another agent has its address now."""
    return await archive_record(request, ChangeAgent, agent_id, archived=False)
