"""The application: every route of the gateway, and its OpenAPI document."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from deskwire import health
from gateway.api import (
    agents,
    assets,
    attachments,
    bulk,
    client_settings,
    clients,
    contacts,
    docs,
    domains,
    entries,
    events,
    export,
    feedback,
    history,
    inbound,
    invoice_files,
    invoices,
    itflow,
    keys,
    linked_files,
    locations,
    mail,
    merging,
    notifications,
    openapi,
    scheduled_tickets,
    settings,
    suppressions,
    ticket_changes,
    ticket_lists,
    ticket_reports,
    tickets,
    time_entries,
    time_reports,
    timers,
    unsubscribe,
    webhooks,
)
from gateway.api.edge import Edge
from gateway.api.errors import tell_errors
from gateway.api.responses import HEADERS
from gateway.api.services import Services, services

RESOURCES = (
    tickets,
    ticket_lists,
    export,
    ticket_changes,
    merging,
    bulk,
    history,
    entries,
    attachments,
    time_entries,
    timers,
    time_reports,
    ticket_reports,
    invoices,
    invoice_files,
    events,
    clients,
    contacts,
    domains,
    agents,
    notifications,
    assets,
    locations,
    settings,
    client_settings,
    scheduled_tickets,
    mail,
    suppressions,
    webhooks,
    inbound,
    keys,
)


def create_app(at: Services) -> FastAPI:
    """The gateway, answering from the services that it is given."""
    app = _application(itflow_face=at.settings.itflow_api)
    app.state.services = at
    if at.settings.cors_origins:
        _let_browsers_in(app, at.settings.cors_origins)
    app.state.openapi = cache(lambda: openapi.document(app, at.settings.public_url))
    return app


def _let_browsers_in(app: FastAPI, origins: Sequence[str]) -> None:
    """Front ends of these origins (CORS). They send a key: there are no cookies to be misused."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["*"],
        expose_headers=[*HEADERS, "Content-Disposition"],
    )


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document of everything that can be served; nothing needs to run for it."""
    return openapi.document(_application(itflow_face=True), "")


def _application(*, itflow_face: bool) -> FastAPI:
    app = FastAPI(
        title="Deskwire",
        version="1",
        summary="Tickets, and whom and what they are about.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_middleware(Edge)
    tell_errors(app)
    app.router.routes = list(_routes(itflow_face=itflow_face))
    return app


def _routes(*, itflow_face: bool) -> list[BaseRoute]:
    """One flat list: FastAPI matches the routes of an included router twice."""
    found: list[BaseRoute] = [route for module in RESOURCES for route in module.routes.routes]
    found += [*docs.routes, *feedback.routes, *unsubscribe.routes, *linked_files.routes]
    found += [Route(path, _health) for path in ("/livez", "/readyz", "/metrics")]
    return found + (itflow.routes if itflow_face else [])


async def _health(request: Request) -> Response:
    at = services(request)
    status, kind, body = await health.answer(request.url.path, at.database, at.broker)
    return Response(body, status, {"content-type": kind})
