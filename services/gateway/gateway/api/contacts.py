"""Contacts: the people of a client."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.people import ChangeContact, CreateContact
from deskwire.contracts.records import Contact
from gateway.api.auth import router, scope
from gateway.api.fields import Address, Id, Language, Line, Name, Note, Notes, RequestBody
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

routes = router("/contacts", "contacts")


class ContactDetails(RequestBody):
    """``primary``: the contact of tickets that name none; whoever was it before no longer is.
    ``language``: of mails to them; null for that of their client. With ``notifications`` false they
    hear of no new, closed or merged ticket, nor of another status."""

    email: Address | None = None
    title: Line | None = None
    department: Line | None = None
    phone: Line | None = None
    extension: Line | None = None
    mobile: Line | None = None
    language: Language | None = None
    notifications: bool | None = None
    notes: Notes | None = None
    primary: bool | None = None
    important: bool | None = None
    billing: bool | None = Field(None, description="gets the client's invoices by mail")
    technical: bool | None = Field(
        None, description="watches the client's tickets that name no contact"
    )
    location_id: Id | None = None


class NewContact(ContactDetails):
    client_id: Id
    name: Name


class ContactChange(ContactDetails):
    name: Name | None = None
    undeliverable: None = Field(None, description="null: mail reaches the address again")


class ContactQuery(NamedOfClients):
    email: Note | None = Field(None, max_length=320)


@routes.get("", response_model=Page[Contact])
@scope("contacts:read")
async def list_contacts(request: Request, query: Annotated[ContactQuery, Query()]) -> Response:
    """The contacts."""
    return await list_records(request, "contact", query)


@routes.get("/{contact_id:int}", response_model=Contact)
@scope("contacts:read")
async def read_contact(request: Request, contact_id: int) -> Response:
    """One contact."""
    return await read_record(request, "contact", contact_id)


@routes.post("", status_code=201, response_model=Contact)
@scope("contacts:write")
async def create_contact(request: Request, new: NewContact) -> Response:
    """Make a contact; its address is unique within its client."""
    return await create_of_client(request, CreateContact, new)


@routes.patch("/{contact_id:int}", response_model=Contact, openapi_extra=IF_SEEN)
@scope("contacts:write")
async def change_contact(request: Request, contact_id: int, change: ContactChange) -> Response:
    """Change what is given; null takes back."""
    return await change_record(request, ChangeContact, contact_id, change)


@routes.post("/{contact_id:int}/archive", response_model=Contact, openapi_extra=IF_SEEN)
@scope("contacts:write")
async def archive_contact(request: Request, contact_id: int) -> Response:
    """Its tickets keep it; no new one can name it, and mail from it opens none."""
    return await archive_record(request, ChangeContact, contact_id, archived=True)


@routes.post("/{contact_id:int}/unarchive", response_model=Contact, openapi_extra=IF_SEEN)
@scope("contacts:write")
async def unarchive_contact(request: Request, contact_id: int) -> Response:
    """Take it back, unless another contact of the client has its address now."""
    return await archive_record(request, ChangeContact, contact_id, archived=False)
