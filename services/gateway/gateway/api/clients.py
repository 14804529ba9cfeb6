"""Clients, and a client's tickets."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import ChangeClient, CreateClient
from deskwire.contracts.records import Client
from deskwire.contracts.tickets import Ticket
from gateway.api.auth import router, scope
from gateway.api.commands import create_record
from gateway.api.fields import (
    Currency,
    Language,
    Line,
    Link,
    Name,
    Notes,
    Rate,
    RequestBody,
    Zone,
)
from gateway.api.pages import Page
from gateway.api.preconditions import IF_SEEN
from gateway.api.records import (
    NamedPaging,
    archive_record,
    change_record,
    list_records,
    read_record,
    require,
)
from gateway.api.ticket_lists import TicketFilters, listed

routes = router("/clients", "clients")


class ClientDetails(RequestBody):
    """``currency`` is that of the rate; ``net_terms`` are days. With ``notifications`` false its
    contacts hear of no new, closed or merged ticket, whatever the setting `client_notifications`
    says."""

    type: Line | None = None
    abbreviation: Annotated[Line, Field(max_length=10)] | None = None
    website: Link | None = None
    referral: Line | None = None
    lead: bool | None = None
    rate: Rate | None = None
    currency: Currency | None = None
    net_terms: Annotated[int, Field(strict=True, ge=0, le=3650)] | None = None
    tax_id: Line | None = None
    language: Language | None = None
    timezone: Zone | None = None
    notifications: bool | None = None
    notes: Notes | None = None


class NewClient(ClientDetails):
    name: Name

    def command(self) -> CreateClient:
        """A rate brings its currency along."""
        values = self.model_dump(exclude_none=True)
        priced = {"currency": self.rate.currency} if self.rate else {}
        return CreateClient.model_validate(priced | values)


class ClientChange(ClientDetails):
    name: Name | None = None


@routes.get("", response_model=Page[Client])
@scope("clients:read")
async def list_clients(request: Request, query: Annotated[NamedPaging, Query()]) -> Response:
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
@scope("clients:write", everywhere=True)
async def create_client(request: Request, new: NewClient) -> Response:
    """Make a client."""
    return await create_record(request, new.command(), "/api/v1/clients")


@routes.patch("/{client_id:int}", response_model=Client, openapi_extra=IF_SEEN)
@scope("clients:write", everywhere=True)
async def change_client(request: Request, client_id: int, change: ClientChange) -> Response:
    """Change what is given; null takes back. A new rate brings its currency along."""
    return await change_record(request, ChangeClient, client_id, change)


@routes.post("/{client_id:int}/archive", response_model=Client, openapi_extra=IF_SEEN)
@scope("clients:write", everywhere=True)
async def archive_client(request: Request, client_id: int) -> Response:
    """Its tickets keep it; there are no new ones, its mail opens none, its schedules are paused."""
    return await archive_record(request, ChangeClient, client_id, archived=True)


@routes.post("/{client_id:int}/unarchive", response_model=Client, openapi_extra=IF_SEEN)
@scope("clients:write", everywhere=True)
async def unarchive_client(request: Request, client_id: int) -> Response:
    """Take it back from the archive."""
    return await archive_record(request, ChangeClient, client_id, archived=False)
