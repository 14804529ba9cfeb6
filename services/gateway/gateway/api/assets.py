"""Assets: what tickets are about, such as a machine, a licence, a line."""

from typing import Annotated

from fastapi import Query, Request, Response

from deskwire.contracts.people import ChangeAsset, CreateAsset
from deskwire.contracts.records import Asset
from gateway.api.auth import router, scope
from gateway.api.fields import Day, Id, Line, Link, Name, Notes, RequestBody
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

routes = router("/assets", "assets")


class AssetDetails(RequestBody):
    """The location and the contact are those of the client."""

    type: Line | None = None
    description: Line | None = None
    make: Line | None = None
    model: Line | None = None
    serial: Line | None = None
    os: Line | None = None
    ip: Line | None = None
    mac: Line | None = None
    uri: Link | None = None
    status: Line | None = None
    purchase_date: Day | None = None
    warranty_expire: Day | None = None
    install_date: Day | None = None
    notes: Notes | None = None
    location_id: Id | None = None
    contact_id: Id | None = None


class NewAsset(AssetDetails):
    client_id: Id
    name: Name


class AssetChange(AssetDetails):
    name: Name | None = None


@routes.get("", response_model=Page[Asset])
@scope("assets:read")
async def list_assets(request: Request, query: Annotated[NamedOfClients, Query()]) -> Response:
    """The assets."""
    return await list_records(request, "asset", query)


@routes.get("/{asset_id:int}", response_model=Asset)
@scope("assets:read")
async def read_asset(request: Request, asset_id: int) -> Response:
    """One asset."""
    return await read_record(request, "asset", asset_id)


@routes.post("", status_code=201, response_model=Asset)
@scope("assets:write")
async def create_asset(request: Request, new: NewAsset) -> Response:
    """Make an asset of a client."""
    return await create_of_client(request, CreateAsset, new)


@routes.patch("/{asset_id:int}", response_model=Asset, openapi_extra=IF_SEEN)
@scope("assets:write")
async def change_asset(request: Request, asset_id: int, change: AssetChange) -> Response:
    """Change what is given; null takes back."""
    return await change_record(request, ChangeAsset, asset_id, change)


@routes.post("/{asset_id:int}/archive", response_model=Asset, openapi_extra=IF_SEEN)
@scope("assets:write")
async def archive_asset(request: Request, asset_id: int) -> Response:
    """Its tickets keep it; no new one can name it."""
    return await archive_record(request, ChangeAsset, asset_id, archived=True)


@routes.post("/{asset_id:int}/unarchive", response_model=Asset, openapi_extra=IF_SEEN)
@scope("assets:write")
async def unarchive_asset(request: Request, asset_id: int) -> Response:
    """Take it back from the archive."""
    return await archive_record(request, ChangeAsset, asset_id, archived=False)
