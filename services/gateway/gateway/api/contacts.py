"""Contacts: the people of a client."""

from typing import Annotated

from fastapi import Query, Request, Response

from deskwire.contracts.people import Contact, CreateContact
from gateway.api.auth import caller, router, scope
from gateway.api.commands import create_record
from gateway.api.fields import Address, Id, Name, RequestBody
from gateway.api.pages import Page
from gateway.api.records import OfClients, list_records, read_record

routes = router("/contacts", "contacts")


class NewContact(RequestBody):
    client_id: Id
    name: Name
    email: Address | None = None
    primary: bool = False


@routes.get("", response_model=Page[Contact])
@scope("contacts:read")
async def list_contacts(request: Request, query: Annotated[OfClients, Query()]) -> Response:
    """The contacts."""
    return await list_records(request, "contact", query, query.client_id)


@routes.get("/{contact_id:int}", response_model=Contact)
@scope("contacts:read")
async def read_contact(request: Request, contact_id: int) -> Response:
    """One contact."""
    return await read_record(request, "contact", contact_id)


@routes.post("", status_code=201, response_model=Contact)
@scope("contacts:write")
async def create_contact(request: Request, new: NewContact) -> Response:
    """Make a contact; its address is unique within its client."""
    command = CreateContact(**new.model_dump(), within_client=caller(request).within)
    return await create_record(request, command, "/api/v1/contacts")
