"""One ``function.php``: its key, its method and its failures, in ITFlow's order and words."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from deskwire.db import LOST_CONNECTION
from deskwire.errors import Rejected, Unavailable, Unroutable
from gateway.api.auth import Caller, known_key
from gateway.api.errors import RETRY_SECONDS, RateLimited, Unauthorized
from gateway.api.itflow.answers import (
    NO_SCOPE,
    NOT_CREATED,
    NOT_DELETED,
    NOT_UPDATED,
    NOTHING_FOUND,
    WRONG_KEY,
    empty,
    failed,
)
from gateway.api.itflow.call import Call, Parameters, parsed
from gateway.api.itflow.rows import Table

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kind:
    """What the functions that do the same have in common."""

    method: str
    failure: str


READ = Kind("GET", NOTHING_FOUND)
CREATE = Kind("POST", NOT_CREATED)
UPDATE = Kind("POST", NOT_UPDATED)
DELETE = Kind("POST", NOT_DELETED)


@dataclass(frozen=True)
class Face:
    """A function, as it is served and described.

    What it raises as `Rejected` is the failure of its kind. ``takes`` are its parameters with what
    is to be known of them, ``needs`` those that it cannot do without, ``gives`` the rows of a read.
    """

    name: str
    kind: Kind
    required_scope: str
    function: Callable[[Call], Awaitable[Response]]
    summary: str
    takes: Mapping[str, str]
    needs: Sequence[str] = field(default=())
    gives: Table | None = None

    @property
    def path(self) -> str:
        return f"/api/v1/{self.name}.php"

    @property
    def _allow(self) -> Mapping[str, str]:
        return {"Allow": self.kind.method}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except (Unavailable, Unroutable) as error:
            response = _later(request, str(error))
        except LOST_CONNECTION as error:
            log.warning("database away", cause=type(error).__name__)
            response = _later(request, "the database cannot be reached")
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            dump = f'string({len(request.method)}) "{request.method}"\n'
            return Response(dump, 405, self._allow, media_type="application/json")
        body = parsed(await request.body())
        refused = await self._authorize(request, body)
        if refused is not None:
            return refused
        if request.method != self.kind.method:
            told = f"Can only send {self.kind.method} requests to this endpoint."
            return failed(told, 405, self._allow)
        try:
            return await self.function(Call(request, body))
        except Rejected:
            return failed(self.kind.failure)

    async def _authorize(self, request: Request, body: Parameters) -> Response | None:
        given = body.get("api_key")
        if given is None:
            given = request.query_params.get("api_key")
        if given is None:
            return empty(401)
        try:
            key = await known_key(request.scope, given if isinstance(given, str) else "")
        except Unauthorized:
            return failed(WRONG_KEY, 401)
        except RateLimited as error:
            return failed(str(error), 429, {"Retry-After": str(error.retry_after)})
        if not key.allows(self.required_scope):
            return failed(NO_SCOPE, 403)
        request.scope["caller"] = Caller(key)
        return None


def _later(request: Request, message: str) -> Response:
    """A write can be sent again with the `Idempotency-Key` of this answer."""
    key = request.scope.get("idempotency_key")
    once = {"Idempotency-Key": key} if key else {}
    return failed(message, 503, {"Retry-After": str(RETRY_SECONDS)} | once)
