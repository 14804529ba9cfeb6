"""Clients, and a client's tickets."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import Client, CreateClient
from deskwire.contracts.tickets import Ticket
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Name, RequestBody
from gateway.api.pages import Page
from gateway.api.records import RecordPaging, list_records, read_record, require
from gateway.api.ticket_lists import TicketFilters, listed

routes = router("/clients", "clients")


class NewClient(RequestBody):
    name: Name
    notifications: bool = True
    language: str = Field("en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)


@routes.get("", response_model=Page[Client])
@scope("clients:read")
async def list_clients(request: Request, query: Annotated[RecordPaging, Query()]) -> Response:
    """The clients."""
    return await list_records(request, "client", query)


@routes.get("/{client_id:int}", response_model=Client)
@scope("clients:read")
async def read_client(request: Request, client_id: int) -> Response:
    """One client."""
    return await read_record(request, "client", client_id)


@routes.get("/{client_id:int}/tickets", response_model=Page[Ticket])
@scope("tickets:read")
async def list_tickets_of_client(
    request: Request, client_id: int, query: Annotated[TicketFilters, Query()]
) -> Response:
    """A client's tickets, a page at a time."""
    await require(request, "client", client_id)
    return await listed(request, query, query.filters(client_id))


@routes.post("", status_code=201, response_model=Client)
@scope("clients:write")
async def create_client(request: Request, new: NewClient) -> Response:
    """Make a client. Only with a key that is not bound to one."""
    caller(request).everywhere()
    command = CreateClient(name=new.name, notifications=new.notifications, language=new.language)
    return await create_record(request, command, "/api/v1/clients")
