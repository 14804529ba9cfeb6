"""Who calls, and whether the key allows it: no route is made without the scope that it needs."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.errors import Forbidden, NotFound
from gateway.api.errors import RateLimited, Unauthorized, UnsupportedMediaType
from gateway.api.fields import LARGEST_ID
from gateway.keys import SCOPES, Key
from gateway.rates import network

PUBLIC = "public"
"""The scope of what is told to everybody."""

Function = TypeVar("Function", bound=Callable[..., Any])


def scope(name: str, *, everywhere: bool = False) -> Callable[[Function], Function]:
    """Declare the scope that an endpoint needs, below its route decorator; ``everywhere``: of a key
    for all clients."""
    if name not in SCOPES | {PUBLIC}:
        raise ValueError(f"there is no scope {name}")

    def declare(endpoint: Function) -> Function:
        endpoint.required_scope = name  # type: ignore[attr-defined]  # read by Route below
        endpoint.everywhere = everywhere  # type: ignore[attr-defined]  # likewise
        return endpoint

    return declare


def body_limit(size: int) -> Callable[[Function], Function]:
    """Let a body of ``size`` bytes in, and say that the endpoint reads it itself."""

    def declare(endpoint: Function) -> Function:
        endpoint.body_bytes = size  # type: ignore[attr-defined]  # read by Route below
        return endpoint

    return declare


@dataclass(frozen=True, slots=True)
class Caller:
    key: Key

    @property
    def within(self) -> int | None:
        """The only client that the caller may see; None: all of them."""
        return self.key.client_id

    @property
    def sees_internal(self) -> bool:
        return self.key.client_id is None

    def everywhere(self) -> None:
        """Raise `Forbidden` unless the key is for all clients."""
        if self.key.client_id is not None:
            raise Forbidden("this key is bound to one client")

    def author(self, *, client: bool = False) -> Author:
        """The key's agent, else the integration itself; ``client``: for a client."""
        if client or self.key.client_id is not None:
            return Author(type="contact", name=self.key.name)
        return self.agent or Author(type="system", name=self.key.name)

    @property
    def actor(self) -> Actor:
        """Who does it, through which key."""
        return Actor(author=self.author(), through=self.through)

    @property
    def through(self) -> Through:
        return Through(type="key", id=self.key.id)

    @property
    def uploader(self) -> str:
        """Whose uploads these are: an agent's keys share them, any other key has its own."""
        agent_id = self.key.agent_id
        return f"key:{self.key.id}" if agent_id is None else f"agent:{agent_id}"

    @property
    def agent(self) -> Author | None:
        if self.key.agent_id is None:
            return None
        known = orjson.loads(self.key.agent) if self.key.agent else {"name": self.key.name}
        return Author(
            type="agent", id=self.key.agent_id, name=known["name"], email=known.get("email")
        )


def caller(request: Request) -> Caller:
    found: Caller = request.scope["caller"]
    return found


def given_key(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            return value.strip().decode("latin-1")
    raise Unauthorized


async def authorize(request_scope: Scope, required: str, *, everywhere: bool) -> None:
    """Put the caller into the request's scope, or raise what the key is refused with."""
    key = await known_key(request_scope, given_key(request_scope["headers"]))
    if not key.allows(required):
        raise Forbidden(f"this key lacks the scope {required}")
    request_scope["caller"] = by = Caller(key)
    if everywhere:
        by.everywhere()


async def known_key(request_scope: Scope, token: str) -> Key:
    """Raises `Unauthorized`, or `RateLimited` when there were too many requests of this key, or
    too many wrong keys of this address. A good key is let in wherever it comes from."""
    at = request_scope["app"].state.services
    key: Key | None = await at.keys.verify(token)
    if key is None:
        wrong = at.wrong_keys.take(network((request_scope["client"] or ("",))[0]))
        if wrong.spent:
            raise RateLimited("too many wrong keys from this address", wrong.reset)
        raise Unauthorized
    if at.limiter is not None:
        request_scope["rate"] = window = at.limiter.take(key.id)
        if window.spent:
            raise RateLimited("too many requests with this key", window.reset)
    return key


class Route(APIRoute):
    """FastAPI's route behind the check of the key, which comes before the body is read.

    An endpoint without a body is called without FastAPI's machinery for arguments, of which only
    the declarations are used: a list of 50 is twice as fast for it.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        required = getattr(endpoint, "required_scope", None)
        if required is None:
            raise TypeError(f"{endpoint.__name__} declares no scope")
        super().__init__(path, endpoint, **options)
        self.required_scope: str = required
        self.everywhere: bool = getattr(endpoint, "everywhere", False)
        has_body = self.body_field is not None
        inner = self.app if has_body else _direct(endpoint)
        limit: int | None = getattr(endpoint, "body_bytes", None)
        self.app = self._guarded(inner, json=has_body, body_bytes=limit)

    def _guarded(self, inner: ASGIApp, *, json: bool, body_bytes: int | None) -> ASGIApp:
        async def app(request_scope: Scope, receive: Receive, send: Send) -> None:
            if self.required_scope != PUBLIC:
                await authorize(request_scope, self.required_scope, everywhere=self.everywhere)
            _check_ids(request_scope["path_params"])
            if json:
                _check_media_type(request_scope)
            if body_bytes is not None:
                request_scope["body_bytes"] = body_bytes
            await inner(request_scope, receive, send)

        return app


def _direct(endpoint: Callable[..., Awaitable[Response]]) -> ASGIApp:
    """Calls it with the request, the values of the path as the route converts them, the query."""
    query = inspect.signature(endpoint).parameters.get("query")
    model: type[BaseModel] | None = get_args(query.annotation)[0] if query else None

    async def app(request_scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(request_scope, receive)
        arguments = dict(request_scope["path_params"])
        if model is not None:
            arguments["query"] = _query(request, model)
        response = await endpoint(request, **arguments)
        await response(request_scope, receive, send)

    return app


def _query(request: Request, model: type[BaseModel]) -> BaseModel:
    """A parameter given once is a text, one that is repeated a list of them."""
    given: dict[str, str | list[str]] = {}
    for name, value in request.query_params.multi_items():
        before = given.get(name)
        if before is None:
            given[name] = value
        else:
            given[name] = [*before, value] if isinstance(before, list) else [before, value]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = [each | {"loc": ("query", *each["loc"])} for each in error.errors()]
        raise RequestValidationError(found) from None


def _check_ids(path_params: Mapping[str, Any]) -> None:
    """Larger ones are no ids anywhere behind."""
    for name, value in path_params.items():
        if isinstance(value, int) and value > LARGEST_ID:
            raise NotFound(f"there is no {name.removesuffix('_id')} {value}")


def _check_media_type(request_scope: Scope) -> None:
    for name, value in request_scope["headers"]:
        if name == b"content-type":
            kind = value.split(b";")[0].strip().lower()
            if kind != b"application/json" and not kind.endswith(b"+json"):
                raise UnsupportedMediaType


def router(path: str, tag: str) -> APIRouter:
    """The routes of one resource."""
    return APIRouter(
        prefix=f"/api/v1{path}",
        tags=[tag],
        route_class=Route,
        strict_content_type=False,  # a body without a Content-Type is read as JSON
        generate_unique_id_function=lambda route: route.name,
    )
