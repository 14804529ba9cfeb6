"""The API as its OpenAPI document describes it: what there is to call, and how to call it."""

import asyncio
import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

from whole import Answer, called

from gateway.api import openapi_document

DOCUMENT = openapi_document()

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes | None
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Caller:
    """Who calls with a key; with an empty one nobody."""

    port: int
    key: str

    async def call(self, request: Request) -> Answer:
        asked = (request.method, request.path, request.body, self.sent(request))
        return await asyncio.to_thread(called, self.port, *asked)

    def sent(self, request: Request) -> dict[str, str]:
        return dict(request.headers) | ({"X-API-Key": self.key} if self.key else {})


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    described: Mapping[str, Any] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str:
        (required,) = next(iter(self.described["security"][0].values()))
        return str(required)

    @property
    def is_itflow(self) -> bool:
        return self.path.endswith(".php")

    @property
    def is_stream(self) -> bool:
        return "text/event-stream" in str(self.described["responses"].get("200"))

    def parameters(self, where: str) -> Iterator[Schema]:
        return (each for each in self.described.get("parameters", ()) if each["in"] == where)

    @cached_property
    def media(self) -> tuple[str, Schema] | None:
        """Of the request's body: its type and what is known of it."""
        content = self.described.get("requestBody", {}).get("content", {})
        return next(iter(content.items()), None)

    @property
    def bodies(self) -> list[Any]:
        """The examples of the request's body: one, or one of each kind; none without a body."""
        if self.media is None:
            return [None]
        told = self.media[1]
        several = told.get("examples", {"": {"value": told.get("example")}})
        return [copy.deepcopy(each["value"]) for each in several.values()]

    def request(
        self,
        path: Mapping[str, Any] = {},
        query: Mapping[str, Any] = {},
        body: Any = None,
        **headers: str,
    ) -> Request:
        """With the examples of what is not given."""
        told = {each["name"]: each["example"] for each in self.parameters("path")} | dict(path)
        place = re.sub(r"{(\w+)}", lambda m: quote(str(told[m[1]]), safe=""), self.path)
        needed = {p["name"]: p["example"] for p in self.parameters("header") if p.get("required")}
        sent = needed | {name.replace("_", "-"): value for name, value in headers.items()}
        if self.media is not None:
            sent.setdefault("Content-Type", self.media[0])
        is_json = isinstance(body, dict | list)
        raw = json.dumps(body).encode() if is_json else body
        asked = {p["name"]: p["example"] for p in self.parameters("query") if p.get("required")}
        return Request(
            self.method, f"{place}?{urlencode(asked | dict(query), doseq=True)}", raw, sent
        )


def operations() -> list[Operation]:
    return [
        Operation(method.upper(), path, described)
        for path, item in DOCUMENT["paths"].items()
        for method, described in item.items()
    ]


def resolved(schema: Schema) -> Schema:
    """Behind a reference, and what is there when it is not null."""
    if "$ref" in schema:
        return resolved(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return resolved(kinds[0]) if kinds else schema


def fields(schema: Schema) -> dict[str, Schema]:
    """By name, the fields of an object; of every kind that it may be."""
    found = resolved(schema)
    of_kinds = [fields(kind) for kind in found.get("oneOf", ())]
    return {
        name: s for each in (*of_kinds, found.get("properties", {})) for name, s in each.items()
    }
