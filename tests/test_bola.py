"""Broken object level authorization: every operation, crossed with what its caller may not see.

The operations are those of the OpenAPI document. Whoever adds one has nothing to do here, unless it
names a thing that is not known yet: then a test says so.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from operations import Caller, Operation, Request, fields, operations, resolved
from things import INTERNAL, KINDS, MAKERS, OURS, THEIRS, Side
from whole import Answer, Whole, told, whole

from deskwire import db
from deskwire.testing import FreshDatabase
from gateway.keys import SCOPES, create_key

MISSING = 987_654_321

OF_NO_CLIENT = {"webhook", "agent", "delivery", "key", "suppression", "upload"}

OF_OTHERS = {"tax_id"}
"""What is the id of no thing of ours."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Slot:
    """A place of an operation in which a thing is named."""

    where: str
    name: str

    @property
    def kind(self) -> str:
        return KINDS[self.name]


def slots(operation: Operation) -> list[Slot]:
    found = [Slot(w, p["name"]) for w in ("path", "query") for p in operation.parameters(w)]
    if operation.media is not None:
        found += [Slot("body", name) for name in _named(operation.media[1].get("schema", {}))]
    return [each for each in found if each.where == "path" or _is_name_of_thing(each.name)]


def _named(schema: Mapping[str, Any]) -> Iterator[str]:
    for name, of_field in fields(schema).items():
        yield name
        yield from _named(resolved(of_field))


def _is_name_of_thing(name: str) -> bool:
    return name in KINDS or (name.endswith(("_id", "_ids")) and name not in OF_OTHERS)


OF_ITFLOW = {Slot("body", "client_id"), Slot("body", "ticket_assigned_to")}
"""ITFlow's API takes the client of the key, whichever is named, and lets every key assign."""

OPERATIONS = operations()
CLOSED = [each for each in OPERATIONS if not each.is_stream]


def test_every_thing_that_an_operation_names_is_known() -> None:
    unknown = {
        f"{operation}: {slot.where} parameter or field {slot.name!r}"
        for operation in OPERATIONS
        for slot in slots(operation)
        if slot.name not in KINDS or slot.kind not in MAKERS
    }
    assert not unknown, (
        "say in KINDS of tests/things.py which kind of thing each of these names, and in MAKERS "
        f"how one of it is made for a client: {sorted(unknown)}"
    )


@dataclass
class World:
    """Two clients with one of everything, and keys: for all, and bound to the first client."""

    running: Whole
    ours: Side
    theirs: Side
    all: Caller
    bound: Caller
    database: db.Database

    async def key(self, *scopes: str, **bound: Any) -> Caller:
        key = await create_key(self.database, "test", scopes=scopes, **bound)
        return Caller(self.all.port, key)


@pytest.fixture
async def world(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[World]:
    async with (
        whole(fresh_database, told(f"memory://{uuid4()}", tmp_path)) as running,
        db.connect(running.urls["gateway"], size=1) as database,
    ):
        ours, theirs = Side(running, OURS), Side(running, THEIRS)
        for side in (ours, theirs):
            for kind in {slot.kind for operation in OPERATIONS for slot in slots(operation)}:
                await side.make(kind)
        await running.settled()
        port = running.told["port"]
        key = await create_key(database, OURS, scopes=["admin"], client_id=ours.things["client"])
        callers = Caller(port, running.key), Caller(port, key)
        yield World(running, ours, theirs, *callers, database)


def filled(
    operation: Operation, body: Any, values: Mapping[Slot, Any], key: str, **query: str
) -> Request:
    """A call with the values in its slots; a filter by a thing only when it is one of them."""
    told = {w: {s.name: v for s, v in values.items() if s.where == w} for w in ("path", "query")}
    named = {slot.name: value for slot, value in values.items() if slot.where == "body"}
    if operation.media is not None and isinstance(body, dict):
        body = with_names(body, operation.media[1]["schema"], named)
    if operation.is_itflow:
        told["query"]["api_key"] = key
        body = body and body | {"api_key": key}
    return operation.request(told["path"], told["query"] | query, body)


def with_names(body: Any, schema: Mapping[str, Any], named: Values) -> Any:
    """The body with these things, wherever its schema has a field for them; with None none."""
    made = dict(body)
    required = resolved(schema).get("required", ())
    for name, of_field in fields(schema).items():
        if name in named and named[name] is None:
            if name not in required and "oneOf" not in schema:
                made.pop(name, None)
        elif name in named and (name in body or "oneOf" not in schema):
            several = resolved(of_field).get("type") == "array"
            made[name] = [named[name]] if several else named[name]
        elif isinstance(body.get(name), dict):
            made[name] = with_names(body[name], of_field, named)
    return made


def own(world: World, operation: Operation) -> dict[Slot, Any]:
    """In each slot what is ours, no query."""
    found = [slot for slot in slots(operation) if slot.where != "query"]
    return {slot: world.ours.things[slot.kind] for slot in found}


def own_of_client(world: World, operation: Operation) -> dict[Slot, Any]:
    """Without naming whom only the team may name."""
    found = own(world, operation)
    team = {slot: None for slot in found if slot.where == "body" and slot.kind in OF_NO_CLIENT}
    return found | team


def missing(slot: Slot) -> Any:
    return f"TCK-{MISSING}" if slot.kind == "reference" else MISSING


def shown(answer: Answer, value: Any) -> tuple[int, str]:
    """Status and text, without what has to differ: the thing that was asked for, and the trace."""
    text = re.sub(r'"trace_id": ?"[0-9a-f]*"', "", answer.body.decode())
    return answer.status, re.sub(rf"\b{value}\b", "#", text) if value else text


async def test_without_a_key_or_its_scope_nothing_is_told(world: World) -> None:
    without = {scope: await world.key(*(SCOPES - {scope, "admin"})) for scope in SCOPES}
    nobody = Caller(world.all.port, "")
    for operation in OPERATIONS:
        for body in operation.bodies:
            values = own(world, operation)
            refused = without[operation.scope]
            answer = await refused.call(filled(operation, body, values, refused.key))
            assert answer.status == 403, operation
            assert operation.is_itflow or answer.json["code"] == "forbidden", operation
            answer = await nobody.call(filled(operation, body, values, "dw_1_wrong"))
            assert answer.status == 401, operation


async def test_what_is_another_clients_is_as_if_it_were_not_there(world: World) -> None:
    tried = 0
    for operation in CLOSED:
        for body in operation.bodies:
            for slot in slots(operation):
                if operation.is_itflow and slot in OF_ITFLOW:
                    continue
                tried += 1
                await _equal(world, operation, body, slot)
    assert tried > 60


async def _equal(world: World, operation: Operation, body: Any, slot: Slot) -> None:
    answers = []
    for value in (world.theirs.things[slot.kind], missing(slot)):
        values = own_of_client(world, operation) | {slot: value}
        answer = await world.bound.call(filled(operation, body, values, world.bound.key))
        answers.append(shown(answer, value if slot.where != "query" else ""))
    assert answers[0] == answers[1], (operation, slot)
    assert THEIRS not in answers[0][1], (operation, slot)
    if slot.where != "query" and not operation.is_itflow:
        assert answers[0][0] in (403, 404), (operation, slot, answers[0])


async def test_what_the_test_asks_for_is_there_for_others(world: World) -> None:
    """Else being refused would show nothing."""
    for operation in CLOSED:
        if operation.method != "GET" or operation.is_itflow:
            continue
        for side in (world.ours, world.theirs):
            values = {slot: side.things[slot.kind] for slot in own(world, operation)}
            asked = filled(operation, None, values, "")
            answer = await world.all.call(asked)
            assert answer.status == 200, (operation, answer.body)
            if "304" in operation.described["responses"]:
                seen = {"If-None-Match": answer.headers["etag"]}
                again = await world.all.call(replace(asked, headers={**asked.headers, **seen}))
                assert (again.status, again.body) == (304, b""), operation
        for slot in own(world, operation):
            values = own(world, operation) | {slot: missing(slot)}
            asked = filled(operation, None, values, "")
            assert (await world.all.call(asked)).status == 404, (operation, slot)


async def test_a_client_reads_nothing_internal_and_nothing_of_others(world: World) -> None:
    seen = 0
    for operation in CLOSED:
        if operation.method != "GET":
            continue
        asked = filled(operation, None, own(world, operation), world.bound.key)
        answer = await world.bound.call(asked)
        assert answer.status in (200, 403, 404), (operation, answer.body)
        for word in (INTERNAL, THEIRS):
            assert word.encode() not in answer.body, (operation, word)
            for parameter in operation.parameters("query"):
                if parameter["name"] == "q":
                    asked = filled(operation, None, own(world, operation), "", q=word)
                    answer = await world.bound.call(asked)
                    assert answer.status == 403 or OURS.encode() not in answer.body, operation
        seen += OURS.encode() in answer.body
    assert seen > 10


async def test_a_client_hears_nothing_internal_and_nothing_of_others(world: World) -> None:
    ours, theirs = world.ours.things, world.theirs.things
    end = {"body": "the end", "kind": "public"}
    ending = await world.running.created(f"/tickets/{ours['ticket']}/entries", end)
    for caller, everything in ((world.bound, False), (world.all, True)):
        heard = await asyncio.to_thread(_heard, caller, ending["id"])
        clients = {event["ticket"]["client"]["id"] for event in heard}
        assert (theirs["client"] in clients) is everything
        assert ours["client"] in clients
        entries = {event["entry_id"] for event in heard}
        assert ({ours["internal"], theirs["internal"]} <= entries) is everything
        assert everything or not {ours["internal"], theirs["internal"]} & entries


def _heard(caller: Caller, upto: int) -> list[Any]:
    """All events from the beginning up to that of an entry."""
    (stream,) = (each for each in OPERATIONS if each.is_stream)
    connection = HTTPConnection("127.0.0.1", caller.port, timeout=30)
    request = stream.request(Last_Event_ID="0-0")
    heard: list[Any] = []
    try:
        connection.request("GET", request.path, headers=caller.sent(request))
        response = connection.getresponse()
        while not heard or heard[-1]["entry_id"] != upto:
            line = response.readline()
            if line.startswith(b"data: "):
                heard.append(json.loads(line[6:]))
    finally:
        connection.close()
    return heard
