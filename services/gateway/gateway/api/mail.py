"""Mail out: what became of every mail that was sent."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.notifications import Delivery, DeliveryState, RetryDelivery
from gateway.api import pages
from gateway.api.auth import router, scope
from gateway.api.commands import changed, perform
from gateway.api.fields import Note
from gateway.api.pages import Page, Paging, Several
from gateway.readmodel.documents import text_of
from gateway.readmodel.lists import DELIVERY_LIST, OF_MAILS, among

routes = router("/mail", "mail")


class DeliveryQuery(Paging):
    sort: Literal["id", "-id"] = "-id"
    state: Several[DeliveryState] | None = None
    ticket_id: Several[pages.Id] | None = None
    template: Several[Note] | None = None
    recipient: Several[Note] | None = Field(None, description="the address, whatever its case")


@routes.get("/outbound", response_model=Page[Delivery])
@scope("mail:read", everywhere=True)
async def list_deliveries(request: Request, query: Annotated[DeliveryQuery, Query()]) -> Response:
    """Deliveries, with the mail server's answers."""
    given = {
        "state": query.state,
        "ticket_id": query.ticket_id,
        "template": query.template,
        "recipient": query.recipient and [each.casefold() for each in query.recipient],
    }
    filters = [OF_MAILS, *(among(column, values) for column, values in given.items() if values)]
    return await pages.listed(request, DELIVERY_LIST, query, sort=query.sort, filters=filters)


@routes.post("/outbound/{delivery_id:int}/retry", response_model=Delivery)
@scope("mail:write", everywhere=True)
async def retry_delivery(request: Request, delivery_id: int) -> Response:
    """Send it now, and for three days more if need be; 409 when it is out already.

    One that is `uncertain` may be a second time with its recipient.
    """
    answer = await perform(request, RetryDelivery(id=delivery_id))
    delivery = answer.reply
    return changed(request, text_of(delivery), delivery.version, replayed=answer.replayed)
