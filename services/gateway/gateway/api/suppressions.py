"""Addresses that get no mail."""

from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.notifications import AddSuppression, RemoveSuppression, Suppression
from gateway.api.auth import router, scope
from gateway.api.commands import create_record, write_record
from gateway.api.fields import Address, Line, Note, RequestBody
from gateway.api.pages import Page
from gateway.api.records import ArchivedPaging, list_records, read_record
from gateway.readmodel.lists import Filter
from gateway.readmodel.lookups import lookup

routes = router("/suppressions", "mail")


class NewSuppression(RequestBody):
    email: Address
    reason: Line


class SuppressionQuery(ArchivedPaging):
    email: Note | None = Field(None, max_length=320, description="all of it, whatever its case")

    def filters(self, kind: str) -> list[Filter]:
        found = super().filters(kind)
        if self.email is not None:
            found.append(Filter("lookups", "any of", [lookup("email", self.email)]))
        return found


@routes.get("", response_model=Page[Suppression])
@scope("mail:read", everywhere=True)
async def list_suppressions(
    request: Request, query: Annotated[SuppressionQuery, Query()]
) -> Response:
    """The addresses that get no mail, and why: mostly because nothing ever reaches them."""
    return await list_records(request, "suppression", query)


@routes.get("/{suppression_id:int}", response_model=Suppression)
@scope("mail:read", everywhere=True)
async def read_suppression(request: Request, suppression_id: int) -> Response:
    """One of them."""
    return await read_record(request, "suppression", suppression_id)


@routes.post("", status_code=201, response_model=Suppression)
@scope("mail:write", everywhere=True)
async def add_suppression(request: Request, new: NewSuppression) -> Response:
    """Send no more mail to an address; 409 when that is so already."""
    return await create_record(
        request, AddSuppression(email=new.email, reason=new.reason), "/api/v1/suppressions"
    )


@routes.delete("/{suppression_id:int}", response_model=Suppression)
@scope("mail:write", everywhere=True)
async def remove_suppression(request: Request, suppression_id: int) -> Response:
    """Send mail to the address again. What was not sent meanwhile must be retried."""
    return await write_record(request, RemoveSuppression(id=suppression_id))
