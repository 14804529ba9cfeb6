"""The one layer around every request: trace, size of the body, headers, time taken."""

import re
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deskwire.messaging.envelope import new_traceparent
from gateway.api.errors import TooLarge, send_problem
from gateway.rates import Window

BODY_BYTES = 1024 * 1024
"""No body is larger, but of a route that declares another limit (`auth.body_limit`). It is refused
while it comes in, before anything is parsed."""

REQUESTS = Histogram(
    "deskwire_http_requests_seconds", "Time to answer a request", ["route", "status"]
)
_HEADERS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_UNCACHED = (b"cache-control", b"no-store")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Edge:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # RFC 9110 section 9.3.2
            scope, send = {**scope, "method": "GET"}, _headers_alone(send)
        started = time.perf_counter()
        status = 500
        scope["traceparent"] = traceparent = _traceparent(scope)
        scope["trace_id"] = traceparent[3:35]

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(message, scope.get("rate"))
            await send(message)

        try:
            await self._app(scope, _limited(scope, receive), finish)
        except TooLarge as error:
            await send_problem(scope, receive, finish, error)
        finally:
            if not scope.get("streams"):  # which say nothing of how fast we answer
                taken = time.perf_counter() - started
                _series(getattr(scope.get("route"), "path", "none"), status).observe(taken)


def _headers_alone(send: Send) -> Send:
    """Uvicorn leaves out the body, but waits for its end: that of a stream does not come."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body"})

    return sent


def _complete(message: MutableMapping[str, Any], rate: Window | None) -> None:
    headers = message["headers"]
    headers.extend(_HEADERS)
    if rate is not None:  # draft-ietf-httpapi-ratelimit-headers-06
        headers.append((b"ratelimit-limit", b"%d" % rate.limit))
        headers.append((b"ratelimit-remaining", b"%d" % max(0, rate.left)))
        headers.append((b"ratelimit-reset", b"%d" % rate.reset))
    if not any(name == b"cache-control" for name, _ in headers):
        headers.append(_UNCACHED)


def _limited(scope: Scope, receive: Receive) -> Receive:
    """The request's body up to the limit; a request that says it has none is left as it is."""
    declared = _header(scope, b"content-length")
    if declared is None and _header(scope, b"transfer-encoding") is None:
        return receive
    promised = int(declared) if declared is not None and declared.isdigit() else 0
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        limit = scope.get("body_bytes", BODY_BYTES)
        if promised > limit:
            raise TooLarge(limit)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit)
        return message

    return counted


def _traceparent(scope: Scope) -> str:
    """The caller's trace context (W3C), or a new one."""
    given = _header(scope, b"traceparent")
    if given is not None and _TRACEPARENT.fullmatch(given):
        return str(given, "ascii")
    return new_traceparent()


def _header(scope: Scope, name: bytes) -> bytes | None:
    for each, value in scope["headers"]:
        if each == name:
            return bytes(value)
    return None


@lru_cache(maxsize=1024)
def _series(route: str, status: int) -> Histogram:
    return REQUESTS.labels(route, str(status))
