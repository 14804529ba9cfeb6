"""Bad input, on every operation that takes it: refused with the name of what is wrong, never a 500.

What the limits are is read from the OpenAPI document.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from operations import Caller, Operation, Schema, fields, operations, resolved
from whole import Answer, told, whole

from deskwire.testing import FreshDatabase

OPERATIONS = [each for each in operations() if not each.is_itflow]
WITH_JSON = [each for each in OPERATIONS if each.media and each.media[0] == "application/json"]
BODIES = [(each, body) for each in WITH_JSON for body in each.bodies]

LIMIT = re.compile(r"at most|at least|or more|or less")
HOSTILE = ["a\0b", "\ud800", "\udfff\ud800", "a\u202eb", "\ufeff", "'; --", "\x1b[2J", "Å" * 100]


@pytest.fixture
async def caller(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Caller]:
    """Who may do everything, where the things are that the examples name."""
    async with whole(fresh_database, told(f"memory://{uuid4()}", tmp_path)) as running:
        for path in {"/assets", "/locations"} & {each.path[7:] for each in OPERATIONS}:
            await running.created(path, {"client_id": running.client_id, "name": "First"})
        for _ in range(2):
            await running.created(
                "/tickets", {"subject": "s", "body": "b", "client_id": running.client_id}
            )
        ticket = {"subject": "s", "body": "b"}
        await running.created(
            "/scheduled-tickets", {"name": "n", "cron": "0 9 * * *", "ticket": ticket}
        )
        await running.created("/webhooks", {"url": "https://hook.invalid/", "events": []})
        yield Caller(running.told["port"], running.key)


def named(answer: Answer) -> set[str]:
    """The last part of the fields that an answer complains of."""
    return {error["field"].rpartition(".")[2] for error in answer.json["errors"]}


def told_of(answer: Answer, name: str) -> str:
    errors = answer.json["errors"]
    assert "Input" not in str(errors), errors
    return str([error["message"] for error in errors if name in error["field"].split(".")])


def limits(schema: Schema, sample: Any) -> Iterator[tuple[Any, Any]]:
    """Values at a limit of the schema, and one beyond it."""
    told = resolved(schema)
    if "maxLength" in told and isinstance(sample, str) and "pattern" not in told:
        most = told["maxLength"]
        yield sample.rjust(most, "x")[:most], sample.rjust(most + 1, "x")
    if "maxItems" in told and sample:
        yield sample[:1] * told["maxItems"], sample[:1] * (told["maxItems"] + 1)
    if told.get("type") == "array" and sample:
        yield from (([at], [over]) for at, over in limits(told["items"], sample[0]))
    if "maximum" in told:
        yield told["maximum"], told["maximum"] + 1
    if "minimum" in told:
        yield told["minimum"], told["minimum"] - 1


async def test_each_field_takes_its_limit_and_nothing_beyond(caller: Caller) -> None:
    tried = 0
    for operation, body in BODIES:
        schema = resolved(operation.media[1]["schema"])  # type: ignore[index]  # it has a body
        for name, of_field in fields(schema).items():
            if "oneOf" in schema and name not in body:
                continue  # is a field of another kind
            for at, over in limits(of_field, body.get(name)):
                tried += 1
                taken = await caller.call(operation.request(body=body | {name: at}))
                assert taken.status < 500, (operation, name)
                assert taken.status != 422 or not LIMIT.search(told_of(taken, name)), taken.body
                refused = await caller.call(operation.request(body=body | {name: over}))
                assert refused.status == 422, (operation, name, refused.body)
                assert named(refused) & {name, "0"}, (operation, name, refused.body)
    assert tried > 60


def sample(schema: Schema) -> Any:
    told = resolved(schema)
    if told.get("type") == "array":
        return [sample(told["items"])]
    return told["enum"][0] if "enum" in told else 1 if told.get("type") == "integer" else "x"


async def test_each_parameter_takes_its_limit_and_nothing_beyond(caller: Caller) -> None:
    for operation in OPERATIONS:
        for parameter in operation.parameters("query"):
            for at, over in limits(parameter["schema"], sample(parameter["schema"])):
                if parameter["name"] in ("cursor", "q"):
                    continue  # are about more than their length
                asked = operation.request(query={parameter["name"]: over})
                refused = await caller.call(asked)
                assert refused.status == 422, (operation, parameter["name"], refused.body)
                if not operation.is_stream:
                    asked = operation.request(query={parameter["name"]: at})
                    taken = await caller.call(asked)
                    assert taken.status in (200, 201), (operation, parameter["name"], taken.body)


def texts(body: Mapping[str, Any]) -> Iterator[str]:
    return (name for name, value in body.items() if isinstance(value, str))


async def test_no_text_is_too_strange(caller: Caller) -> None:
    for operation, body in BODIES:
        for name in texts(body):
            for text in HOSTILE:
                answer = await caller.call(operation.request(body=body | {name: text}))
                assert answer.status < 500, (operation, name, text, answer.body)
                assert b"pattern" not in answer.body, (operation, name, text, answer.body)
                strange = re.search(rb"\\u0000|\\ud[89a-f]", answer.body)
                assert answer.status >= 400 or not strange, (operation, name)


async def test_what_is_not_known_is_refused_by_its_name(caller: Caller) -> None:
    for operation, body in BODIES:
        refused = await caller.call(operation.request(body=body | {"zz_unknown": 1}))
        assert refused.status == 422, (operation, refused.body)
        assert "zz_unknown" in named(refused), (operation, refused.body)
    for operation in OPERATIONS:
        if any(operation.parameters("query")):
            refused = await caller.call(operation.request(query={"zz_unknown": 1}))
            assert (refused.status, named(refused)) == (422, {"zz_unknown"}), operation


async def test_what_cannot_be_read_is_refused_as_that(caller: Caller) -> None:
    deep = b"[" * 100_000
    objects = b'{"a":' * 100_000
    for operation in WITH_JSON:
        for raw in (b"", b"{", b"\xff\xfe", b"nul", deep, deep + b"]" * 100_000, objects):
            if not raw and not operation.described["requestBody"].get("required"):
                continue  # nothing is a body too
            answer = await caller.call(operation.request(body=raw))
            assert answer.status in (400, 422), (operation, raw[:10], answer.body)
        assert (await caller.call(operation.request(body=deep))).status == 400, operation


async def test_what_is_too_large_is_refused_before_it_is_read(caller: Caller) -> None:
    for operation in WITH_JSON:
        status, body = await asyncio.to_thread(_promised, caller, operation, 10 * 2**20)
        assert (status, b'"too_large"' in body) == (413, True), operation


def _promised(caller: Caller, operation: Operation, size: int) -> tuple[int, bytes]:
    """The answer to a request whose body is announced and does not come."""
    asked = operation.request()
    connection = HTTPConnection("127.0.0.1", caller.port, timeout=30)
    try:
        connection.putrequest(asked.method, asked.path)
        for name, value in (caller.sent(asked) | {"Content-Length": str(size)}).items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


async def test_a_cursor_that_is_not_ours_is_refused(caller: Caller) -> None:
    for operation in OPERATIONS:
        for parameter in operation.parameters("query"):
            if parameter["name"] != "cursor":
                continue
            for cursor in (
                "x",
                "\0",
                "é",
                "W10=",
                "WzFd",
                "WyItbnVtYmVyIiwibm8iLDFd",
                "x" * 10_000,
            ):
                refused = await caller.call(operation.request(query={"cursor": cursor}))
                assert (refused.status, named(refused)) == (400, {"cursor"}), operation


async def test_numbers_of_things_have_no_end(caller: Caller) -> None:
    for operation in OPERATIONS:
        body = operation.bodies[0]
        for parameter in operation.parameters("path"):
            for id in (0, 2**31, 2**53, 2**63, 10**30, "-1", "x", "1.0", "%00"):
                answer = await caller.call(operation.request({parameter["name"]: id}, body=body))
                assert answer.status in (404, 405, 409), (operation, id, answer.body)


async def test_a_key_is_of_one_body_alone(caller: Caller) -> None:
    tried = 0
    for operation, body in BODIES:
        if operation.method != "POST":
            continue
        once = str(uuid4())
        first = await caller.call(operation.request(body=body, Idempotency_Key=once))
        if first.status >= 300:
            continue
        tried += 1
        again = await caller.call(operation.request(body=body, Idempotency_Key=once))
        assert again.status in (first.status, 409), (operation, again.body)
        other = await caller.call(operation.request(body=different(body), Idempotency_Key=once))
        # the answer to a new API key is not kept, so that is refused as a conflict
        assert other.json["code"] in ("key_reused", "conflict"), (operation, other.body)
        assert other.status == (409 if operation.path.endswith("/keys") else 422), operation
    assert tried > 5
    for bad in ("x" * 256, "é".encode().decode("latin-1"), "a b"):
        for operation in OPERATIONS:
            if operation.method == "POST":
                asked = operation.request(body=operation.bodies[0], Idempotency_Key=bad)
                refused = await caller.call(asked)
                assert (refused.status, named(refused)) == (422, {"Idempotency-Key"}), operation


def different(body: Mapping[str, Any]) -> dict[str, Any]:
    """Another body that is as good."""
    made = dict(body)
    if "ids" in made:
        return made | {"ids": [*made["ids"], 987_654]}
    for name in ("name", "subject", "body", "note", "reason", "description", "url"):
        if name in made:
            return made | {name: f"x{made[name]}"}
    if "hours" in made:
        return made | {"hours": made["hours"] + 1}
    if "since" in made:
        return made | {"failed_only": True}
    return made | {"agent_id": None}
