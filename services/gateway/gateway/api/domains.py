"""Mail domains, by which unknown senders are known to belong to a client."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import ChangeDomain, CreateDomain
from deskwire.contracts.records import Domain
from gateway.api.auth import router, scope
from gateway.api.fields import Id, RequestBody, Shape
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

routes = router("/domains", "domains")

DomainName = Annotated[
    str,
    Field(max_length=253),
    Shape(r"^[\w-]+(\.[\w-]+)+$", "the name of a domain, as in `example.com`"),
]


class NewDomain(RequestBody):
    client_id: Id
    name: DomainName


class DomainChange(RequestBody):
    name: DomainName | None = None


@routes.get("", response_model=Page[Domain])
@scope("domains:read")
async def list_domains(request: Request, query: Annotated[NamedOfClients, Query()]) -> Response:
    """The domains."""
    return await list_records(request, "domain", query)


@routes.get("/{domain_id:int}", response_model=Domain)
@scope("domains:read")
async def read_domain(request: Request, domain_id: int) -> Response:
    """One domain."""
    return await read_record(request, "domain", domain_id)


@routes.post("", status_code=201, response_model=Domain)
@scope("domains:write")
async def create_domain(request: Request, new: NewDomain) -> Response:
    """Say that a domain's senders belong to a client; a domain belongs to one only."""
    return await create_of_client(request, CreateDomain, new)


@routes.patch("/{domain_id:int}", response_model=Domain, openapi_extra=IF_SEEN)
@scope("domains:write")
async def change_domain(request: Request, domain_id: int, change: DomainChange) -> Response:
    """Change its name."""
    return await change_record(request, ChangeDomain, domain_id, change)


@routes.post("/{domain_id:int}/archive", response_model=Domain, openapi_extra=IF_SEEN)
@scope("domains:write")
async def archive_domain(request: Request, domain_id: int) -> Response:
    """Its senders are strangers from now on, but for those who are contacts."""
    return await archive_record(request, ChangeDomain, domain_id, archived=True)


@routes.post("/{domain_id:int}/unarchive", response_model=Domain, openapi_extra=IF_SEEN)
@scope("domains:write")
async def unarchive_domain(request: Request, domain_id: int) -> Response:
    """Take it back, unless another client has the domain now."""
    return await archive_record(request, ChangeDomain, domain_id, archived=False)
