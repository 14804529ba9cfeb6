"""Webhooks: programs that are told of events over HTTP, as standardwebhooks.com has it."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import AfterValidator, Field

from deskwire.contracts.notifications import Delivery, DeliveryState
from deskwire.contracts.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    NewWebhook,
    Replayed,
    ReplayWebhook,
    Webhook,
    WebhookChanges,
    WebhookEvent,
)
from gateway.api import pages
from gateway.api.auth import router, scope
from gateway.api.commands import changed, created, perform, write_record
from gateway.api.fields import Id, Line, Link, Moment, RequestBody, each_once
from gateway.api.pages import Page, Paging, Several
from gateway.api.preconditions import IF_SEEN, version_if_given
from gateway.api.records import ArchivedPaging, OfClients, list_records, read_record, require
from gateway.readmodel.documents import text_of
from gateway.readmodel.lists import DELIVERY_LIST, Filter, among

routes = router("/webhooks", "webhooks")

Events = Annotated[tuple[WebhookEvent, ...], Field(max_length=50), AfterValidator(each_once)]


class WebhookBody(RequestBody):
    """``url`` begins with https:// and leads to no private network, unless the operator lets it.
    ``events``: none for all of them."""

    url: Annotated[Link, Field(max_length=2000)]
    description: Line | None = None
    events: Events = ()
    client_id: Id | None = Field(
        None,
        description="of this client's tickets and invoices alone, no internal notes, no drafts",
    )


class WebhookChange(RequestBody):
    url: Annotated[Link, Field(max_length=2000)] | None = None
    description: Line | None = None
    events: Events | None = None
    enabled: bool | None = None


class Replay(RequestBody):
    since: Moment
    failed_only: bool = Field(default=False, description="not what has arrived")


class WebhookQuery(ArchivedPaging, OfClients):
    pass


class WebhookDeliveryQuery(Paging):
    sort: Literal["id", "-id"] = "-id"
    state: Several[DeliveryState] | None = None


@routes.get("", response_model=Page[Webhook])
@scope("webhooks:read", everywhere=True)
async def list_webhooks(request: Request, query: Annotated[WebhookQuery, Query()]) -> Response:
    """The webhooks."""
    return await list_records(request, "webhook", query)


@routes.get("/{webhook_id:int}", response_model=Webhook)
@scope("webhooks:read", everywhere=True)
async def read_webhook(request: Request, webhook_id: int) -> Response:
    """One webhook."""
    return await read_record(request, "webhook", webhook_id)


@routes.post("", status_code=201, response_model=NewWebhook)
@scope("webhooks:write", everywhere=True)
async def create_webhook(request: Request, new: WebhookBody) -> Response:
    """Have a program told of events: a POST for each, signed with the secret of the answer, tried
    for three days and in the order of each ticket. The secret is told once.
    """
    if new.client_id is not None:
        await require(request, "client", new.client_id, field="client_id")
    values = new.model_dump() | {"description": new.description or ""}
    answer = await perform(request, CreateWebhook(**values))
    webhook = answer.reply.webhook
    place = f"/api/v1/webhooks/{webhook.id}"
    doc = answer.reply.model_dump_json()
    return created(request, place, doc, webhook.version, replayed=answer.replayed)


@routes.patch("/{webhook_id:int}", response_model=Webhook, openapi_extra=IF_SEEN)
@scope("webhooks:write", everywhere=True)
async def change_webhook(request: Request, webhook_id: int, change: WebhookChange) -> Response:
    """Change what is given; null is as left out. What happens while it is off is not told later."""
    values = change.model_dump(exclude_none=True)
    return await _changed(request, webhook_id, WebhookChanges(**values))


@routes.delete("/{webhook_id:int}", response_model=Webhook, openapi_extra=IF_SEEN)
@scope("webhooks:write", everywhere=True)
async def delete_webhook(request: Request, webhook_id: int) -> Response:
    """Tell it nothing any more, for ever. What it was told can still be looked at."""
    return await _changed(request, webhook_id, WebhookChanges(archived=True))


@routes.get("/{webhook_id:int}/deliveries", response_model=Page[Delivery])
@scope("webhooks:read", everywhere=True)
async def list_webhook_deliveries(
    request: Request, webhook_id: int, query: Annotated[WebhookDeliveryQuery, Query()]
) -> Response:
    """What it was told, with its answers. `template` is the event."""
    await require(request, "webhook", webhook_id)
    filters = [Filter("recipient", "one", f"webhook:{webhook_id}")]
    if query.state:
        filters.append(among("state", query.state))
    return await pages.listed(request, DELIVERY_LIST, query, sort=query.sort, filters=filters)


@routes.post("/{webhook_id:int}/replay", response_model=Replayed)
@scope("webhooks:write", everywhere=True)
async def replay_webhook(request: Request, webhook_id: int, replay: Replay) -> Response:
    """Tell it again what happened since then, with the same ids: all of it, or what did not
    arrive.
    """
    answer = await perform(request, ReplayWebhook(id=webhook_id, **replay.model_dump()))
    return changed(request, text_of(answer.reply), replayed=answer.replayed)


async def _changed(request: Request, webhook_id: int, changes: WebhookChanges) -> Response:
    version = version_if_given(request)
    command = ChangeWebhook(id=webhook_id, changes=changes, if_version=version)
    return await write_record(request, command)
