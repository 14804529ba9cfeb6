"""Agents: the team that answers."""

from typing import Annotated

from fastapi import Query, Request, Response

from deskwire.contracts.people import Agent, CreateAgent
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Address, Name, RequestBody
from gateway.api.pages import Page
from gateway.api.records import RecordPaging, list_records, read_record

routes = router("/agents", "agents")


class NewAgent(RequestBody):
    name: Name
    email: Address


@routes.get("", response_model=Page[Agent])
@scope("agents:read")
async def list_agents(request: Request, query: Annotated[RecordPaging, Query()]) -> Response:
    """The agents. A key bound to a client sees none."""
    return await list_records(request, "agent", query)


@routes.get("/{agent_id:int}", response_model=Agent)
@scope("agents:read")
async def read_agent(request: Request, agent_id: int) -> Response:
    """One agent."""
    return await read_record(request, "agent", agent_id)


@routes.post("", status_code=201, response_model=Agent)
@scope("agents:write")
async def create_agent(request: Request, new: NewAgent) -> Response:
    """Make an agent. Only with a key that is not bound to a client."""
    caller(request).everywhere()
    return await create_record(request, CreateAgent(**new.model_dump()), "/api/v1/agents")
