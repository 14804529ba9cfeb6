"""Mail out: what became of every mail that was sent."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from deskwire.contracts.notifications import Delivery, DeliveryState
from gateway.api import pages
from gateway.api.auth import caller, router, scope
from gateway.api.pages import Page, Paging, Several
from gateway.readmodel.lists import DELIVERY_LIST, among

routes = router("/mail", "mail")


class DeliveryQuery(Paging):
    sort: Literal["id", "-id"] = "-id"
    state: Several[DeliveryState] | None = None
    ticket_id: Several[pages.Id] | None = None


@routes.get("/outbound", response_model=Page[Delivery])
@scope("mail:read")
async def list_deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """Deliveries, with the mail server's answers. Only with a key that is not bound to a client."""
    caller(request).everywhere()
    given = {"state": query.state, "ticket_id": query.ticket_id}
    filters = [among(column, values) for column, values in given.items() if values]
    return await pages.listed(request, DELIVERY_LIST, query, sort=query.sort, filters=filters)
