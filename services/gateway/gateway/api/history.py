"""What became of a ticket: its history, and the mails about it."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from deskwire.contracts.mail import InboundMail
from deskwire.contracts.notifications import Delivery
from deskwire.contracts.tickets import HistoryItem
from gateway.api import pages
from gateway.api.auth import router, scope
from gateway.api.pages import Page, Paging
from gateway.api.tickets import seen
from gateway.readmodel.lists import HISTORY_LIST, MAIL_LIST, Filter

routes = router("/tickets/{ticket_id:int}", "tickets")


@routes.get("/history", response_model=Page[HistoryItem])
@scope("tickets:read", everywhere=True)
async def list_history(
    request: Request, ticket_id: int, query: Annotated[Paging, Query()]
) -> Response:
    """Who changed what, from which value to which, when and through what; oldest first."""
    await seen(request, ticket_id)
    filters = [Filter("ticket_id", "one", ticket_id)]
    return await pages.listed(request, HISTORY_LIST, query, sort="id", filters=filters)


class MailIn(InboundMail):
    direction: Literal["in"]


class MailOut(Delivery):
    direction: Literal["out"]


TicketMail = Annotated[MailIn | MailOut, Field(discriminator="direction")]


@routes.get("/mails", response_model=Page[TicketMail])
@scope("mail:read", everywhere=True)
async def list_mails(
    request: Request, ticket_id: int, query: Annotated[Paging, Query()]
) -> Response:
    """The mails that came in and went out about it, with what became of each and the servers'
    answers; oldest first."""
    await seen(request, ticket_id)
    filters = [Filter("ticket_id", "one", ticket_id)]
    return await pages.listed(request, MAIL_LIST, query, sort="at", filters=filters)
