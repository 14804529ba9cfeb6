"""Errors as application/problem+json (RFC 9457): one table from codes to HTTP."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import asyncpg
import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from deskwire.blobs import BlobError, why
from deskwire.db import LOST_CONNECTION
from deskwire.errors import DeskwireError, Rejected, Unavailable
from gateway.api import wording

log = structlog.get_logger()

STATUS = {
    "malformed": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "gone": 410,
    "stale_version": 412,
    "too_large": 413,
    "unsupported_media_type": 415,
    "range_not_satisfiable": 416,
    "invalid": 422,
    "key_reused": 422,
    "rejected": 422,
    "precondition_required": 428,
    "rate_limited": 429,
    "error": 500,
    "unavailable": 503,
    "unroutable": 503,
}
CODES = {status: code for code, status in reversed(STATUS.items())}

RETRY_SECONDS = 2

HEADERS: dict[str, Mapping[str, str]] = {
    "unauthorized": {"WWW-Authenticate": 'Bearer realm="deskwire"'},
    "unavailable": {"Retry-After": str(RETRY_SECONDS)},
    "unroutable": {"Retry-After": str(RETRY_SECONDS)},
}


class Malformed(Rejected):
    """The request cannot be read."""

    code = "malformed"


class Unauthorized(Rejected):
    """Send a valid API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`."""

    code = "unauthorized"


class Gone(Rejected):
    """It was there, and is not kept any more."""

    code = "gone"


class TooLarge(HTTPException):
    """The request's body is over the limit. FastAPI lets only this kind through while it reads."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes")


class UnsupportedMediaType(Rejected):
    """Send JSON, with `Content-Type: application/json`."""

    code = "unsupported_media_type"


class PreconditionRequired(Rejected):
    """Send `If-Match` with the ETag of what you change; `*` names no version."""

    code = "precondition_required"


class RateLimited(Rejected):
    """Too many requests: go on after the seconds of `Retry-After`."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


FieldErrors = Sequence[Mapping[str, str]]


def problem(
    scope: Scope, code: str, detail: str, *, status: int | None = None, errors: FieldErrors = ()
) -> Response:
    """The answer to a request that failed; ``errors`` are of ``field`` and ``message``."""
    status = status or STATUS.get(code, 500)
    body = {
        "type": f"/docs#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
        "trace_id": scope.get("trace_id", ""),
    }
    headers = dict(HEADERS.get(code, {}))
    if "idempotency_key" in scope:
        headers["Idempotency-Key"] = scope["idempotency_key"]
    content = orjson.dumps(body)
    return Response(content, status, headers, media_type="application/problem+json")


async def told(request: Request, error: DeskwireError) -> Response:
    code = error.code if error.code in STATUS else "error"
    errors = [{"field": error.field, "message": str(error)}] if error.field else []
    response = problem(request.scope, code, str(error), errors=errors)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


async def not_valid(request: Request, error: RequestValidationError) -> Response:
    """What pydantic says of a request, without the values that were sent."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problem(request.scope, "malformed", "the body is not JSON")
    errors = wording.told(found)
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:5])
    return problem(request.scope, "invalid", detail, errors=errors)


async def by_status(request: Request, error: HTTPException) -> Response:
    """What the framework refuses: no such path, method or readable body."""
    status, detail, headers = error.status_code, error.detail, dict(error.headers or {})
    if status == 404:
        detail = "there is nothing at this path: /docs lists all that there is"
    elif status == 405:  # Starlette names the methods of one route of the path
        headers["Allow"] = ", ".join(_methods(request))
        detail = f"this path is for {headers['Allow']}"
    response = problem(request.scope, CODES.get(status, "rejected"), detail, status=status)
    response.headers.update(headers)
    return response


def _methods(request: Request) -> list[str]:
    """What the path is served for."""
    routes = [each for each in request.app.routes if each.matches(request.scope)[0] != Match.NONE]
    methods = {method for each in routes for method in each.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def database_away(request: Request, _error: Exception) -> Response:
    return problem(request.scope, Unavailable.code, "the database cannot be reached")


async def took_too_long(request: Request, _error: Exception) -> Response:
    """PostgreSQL's `statement_timeout`: nothing is broken, but the same again takes as long."""
    detail = "this took too long: ask for less, such as rarer words or a range of time"
    return problem(request.scope, Unavailable.code, detail)


async def blobs_away(request: Request, error: BlobError) -> Response:
    log.error("blob store away", trace_id=request.scope.get("trace_id"), cause=why(error))
    return problem(request.scope, Unavailable.code, "the blob store cannot be reached")


async def unexpected(request: Request, error: Exception) -> Response:
    path = request.scope["path"]
    log.error("request failed", path=path, trace_id=request.scope.get("trace_id"), exc_info=error)
    return problem(request.scope, "error", "something went wrong here, not at your end")


def tell_errors(app: FastAPI) -> None:
    app.add_exception_handler(DeskwireError, told)  # type: ignore[arg-type]  # Starlette's type is too wide
    app.add_exception_handler(RequestValidationError, not_valid)  # type: ignore[arg-type]  # the same
    app.add_exception_handler(HTTPException, by_status)  # type: ignore[arg-type]  # the same
    app.add_exception_handler(Exception, unexpected)
    app.add_exception_handler(BlobError, blobs_away)  # type: ignore[arg-type]  # the same
    app.add_exception_handler(asyncpg.QueryCanceledError, took_too_long)
    for error in LOST_CONNECTION:
        app.add_exception_handler(error, database_away)


async def send_problem(scope: Scope, receive: Receive, send: Send, error: HTTPException) -> None:
    """From outside of the application's own error handling."""
    code = CODES.get(error.status_code, "rejected")
    await problem(scope, code, error.detail, status=error.status_code)(scope, receive, send)
