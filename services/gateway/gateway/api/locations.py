"""Locations: where a client's people and assets are."""

from typing import Annotated

from fastapi import Query, Request, Response

from deskwire.contracts.people import ChangeLocation, CreateLocation
from deskwire.contracts.records import Location
from gateway.api.auth import router, scope
from gateway.api.fields import Id, Line, Name, Notes, RequestBody
from gateway.api.pages import Page
from gateway.api.preconditions import IF_SEEN
from gateway.api.records import (
    NamedOfClients,
    archive_record,
    change_record,
    create_of_client,
    list_records,
    read_record,
)

routes = router("/locations", "locations")


class LocationDetails(RequestBody):
    """``primary``: a client has one; whichever was it before no longer is."""

    description: Line | None = None
    country: Line | None = None
    address: Line | None = None
    city: Line | None = None
    state: Line | None = None
    zip: Line | None = None
    phone: Line | None = None
    hours: Line | None = None
    notes: Notes | None = None
    primary: bool | None = None


class NewLocation(LocationDetails):
    client_id: Id
    name: Name


class LocationChange(LocationDetails):
    name: Name | None = None


@routes.get("", response_model=Page[Location])
@scope("locations:read")
async def list_locations(request: Request, query: Annotated[NamedOfClients, Query()]) -> Response:
    """The locations."""
    return await list_records(request, "location", query)


@routes.get("/{location_id:int}", response_model=Location)
@scope("locations:read")
async def read_location(request: Request, location_id: int) -> Response:
    """One location."""
    return await read_record(request, "location", location_id)


@routes.post("", status_code=201, response_model=Location)
@scope("locations:write")
async def create_location(request: Request, new: NewLocation) -> Response:
    """Make a location of a client."""
    return await create_of_client(request, CreateLocation, new)


@routes.patch("/{location_id:int}", response_model=Location, openapi_extra=IF_SEEN)
@scope("locations:write")
async def change_location(request: Request, location_id: int, change: LocationChange) -> Response:
    """Change what is given; null takes back."""
    return await change_record(request, ChangeLocation, location_id, change)


@routes.post("/{location_id:int}/archive", response_model=Location, openapi_extra=IF_SEEN)
@scope("locations:write")
async def archive_location(request: Request, location_id: int) -> Response:
    """Its contacts and assets keep it; nothing new can name it."""
    return await archive_record(request, ChangeLocation, location_id, archived=True)


@routes.post("/{location_id:int}/unarchive", response_model=Location, openapi_extra=IF_SEEN)
@scope("locations:write")
async def unarchive_location(request: Request, location_id: int) -> Response:
    """Take it back from the archive."""
    return await archive_record(request, ChangeLocation, location_id, archived=False)
