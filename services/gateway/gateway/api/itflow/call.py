"""One call of a function: what was given with it, and by whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from deskwire.errors import Invalid
from gateway.api.auth import Caller, caller
from gateway.api.itflow import php
from gateway.api.services import Services, services

LARGEST_LIMIT = 10_000

Parameters = Mapping[str, Any]
Made = TypeVar("Made", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Call:
    """``body`` is the JSON object that came, whatever its Content-Type said."""

    request: Request
    body: Parameters

    @property
    def caller(self) -> Caller:
        return caller(self.request)

    @property
    def services(self) -> Services:
        return services(self.request)

    def given(self, name: str) -> Any:
        """A parameter of a read: that of the query, else that of the body; None without."""
        found = self.request.query_params.get(name)
        return self.body.get(name) if found is None else found

    @property
    def within(self) -> int | None:
        """The client to which a read is confined; 0: what has no client; None: all of them."""
        bound = self.caller.within
        wanted = self.request.query_params.get("client_id")
        return php.integer(wanted) if bound is None and php.is_numeric(wanted) else bound

    @property
    def client_id(self) -> int:
        """The client of a write: that of the key, else the one that the body names; 0: none."""
        return self.caller.within or php.integer(self.body.get("client_id"))

    @property
    def page(self) -> tuple[int, int] | None:
        """The offset and limit of a list; None when there can be nothing on it."""
        limit, offset = self.given("limit"), self.given("offset")
        rows = 50 if limit is None else php.integer(limit)
        skipped = 0 if offset is None else php.integer(offset)
        return None if rows <= 0 or skipped < 0 else (skipped, min(rows, LARGEST_LIMIT))


def parsed(body: bytes) -> Parameters:
    """The body's JSON object; anything else is as no body at all."""
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return values if isinstance(values, dict) else {}


def made(kind: type[Made], /, **values: Any) -> Made:
    """A command, or `Invalid` when the values make none."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise Invalid(str(error.errors()[0]["msg"])) from None
