"""Pages for whoever has a signed link of a mail: no key, two clicks.

Programs open links before people do, to look whether they are safe: so a GET changes nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import Request, Response
from starlette.routing import Route

from deskwire.contracts.base import Command
from deskwire.errors import DeskwireError
from deskwire.links import PURPOSES, AnyLink, Expired, NoLink
from gateway.api.commands import ask_owner
from gateway.api.errors import STATUS
from gateway.api.services import services
from gateway.linked.page import POLICY, Page, spoken
from gateway.rates import network

FORM_BYTES = 64 * 1024
FORM_FIELDS = 20

Claim = TypeVar("Claim", bound=AnyLink)
Endpoint = Callable[[Request, Claim], Awaitable[Response]]
WORDS = {404: "unknown", 410: "over", 429: "often"}


class Refused(Exception):
    """Told with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def route(
    kind: type[Claim], endpoint: Endpoint[Claim], methods: Sequence[str] = ("GET", "POST")
) -> Route:
    async def answer(request: Request) -> Response:
        request.scope["body_bytes"] = FORM_BYTES
        try:
            return await endpoint(request, _claim(request, kind))
        except Refused as error:
            return _message(request, error.status)
        except DeskwireError as error:
            return _message(request, STATUS.get(error.code, 500))

    return Route(f"/{PURPOSES[kind]}/{{token}}", answer, methods=list(methods))


def shown(page: Page, status: int = 200) -> Response:
    headers = {"Content-Security-Policy": POLICY}
    return Response(page.html(), status, headers, media_type="text/html")


async def form(request: Request) -> dict[str, str]:
    """The first value of each field, whatever was sent."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = parse_qs(body, keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def count_use(request: Request, link: AnyLink) -> None:
    """Of what costs more than a page. Raises `Refused`."""
    if services(request).link_uses.take((PURPOSES[type(link)], link)).spent:
        raise Refused(429)


async def perform(request: Request, command: Command[Any]) -> None:
    """Have its owner do it. The same again changes nothing, so it needs no id that is kept."""
    await ask_owner(request, command, uuid4())


def _claim(request: Request, kind: type[Claim]) -> Claim:
    at, token = services(request), request.path_params["token"]
    try:
        claim = at.links.read(kind, token, datetime.now(UTC))
    except NoLink:
        wrong = at.wrong_links.take(network((request.scope["client"] or ("",))[0]))
        raise Refused(429 if wrong.spent else 404) from None
    except Expired:
        raise Refused(410) from None
    if request.method == "POST":
        count_use(request, claim)
    return claim


def _message(request: Request, status: int) -> Response:
    tags = [
        each.partition(";")[0] for each in request.headers.get("accept-language", "").split(",")
    ]
    page = Page("message", spoken(*tags[:10]), WORDS.get(status, "later"), refused=True)
    response = shown(page, status)
    if status in (429, 503):
        response.headers["Retry-After"] = "60"
    return response
