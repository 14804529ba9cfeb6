"""Mail domains, by which unknown senders are known to belong to a client."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import CreateDomain, Domain
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Id, RequestBody
from gateway.api.pages import Page
from gateway.api.records import OfClients, list_records, read_record

routes = router("/domains", "domains")


class NewDomain(RequestBody):
    client_id: Id
    name: str = Field(max_length=253, pattern=r"^[\w-]+(\.[\w-]+)+$")


@routes.get("", response_model=Page[Domain])
@scope("domains:read")
async def list_domains(request: Request, query: Annotated[OfClients, Query()]) -> Response:
    """The domains."""
    return await list_records(request, "domain", query, query.client_id)


@routes.get("/{domain_id:int}", response_model=Domain)
@scope("domains:read")
async def read_domain(request: Request, domain_id: int) -> Response:
    """One domain."""
    return await read_record(request, "domain", domain_id)


@routes.post("", status_code=201, response_model=Domain)
@scope("domains:write")
async def create_domain(request: Request, new: NewDomain) -> Response:
    """Say that a domain's senders belong to a client; a domain belongs to one only."""
    command = CreateDomain(**new.model_dump(), within_client=caller(request).within)
    return await create_record(request, command, "/api/v1/domains")
