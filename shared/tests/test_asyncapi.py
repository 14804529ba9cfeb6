"""The AsyncAPI document is well formed, says all, and its schemas fit real messages."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker  # type: ignore[import-untyped] # ships no types

from deskwire.asyncapi import asyncapi_document
from deskwire.contracts.base import MESSAGES, Command
from deskwire.topology import QUEUES

DOCUMENT = asyncapi_document()
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))

REFERENCE = {
    "type": "object",
    "properties": {"$ref": {"type": "string", "pattern": "^#/"}},
    "required": ["$ref"],
    "additionalProperties": False,
}


def keyed(values: Any) -> dict[str, Any]:
    """A map whose keys AsyncAPI allows."""
    return {
        "type": "object",
        "patternProperties": {r"^[a-zA-Z0-9._-]+$": values},
        "additionalProperties": False,
    }


def exactly(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | optional,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
REFERENCES = {"type": "array", "items": REFERENCE, "minItems": 1}
BINDINGS = exactly({"amqp": {"type": "object"}})

# AsyncAPI 3.0.0, as far as this document goes: https://www.asyncapi.com/docs/reference/specification
STRUCTURE = exactly(
    {
        "asyncapi": {"const": "3.0.0"},
        "info": exactly({"title": TEXT, "version": TEXT}, description=TEXT),
        "defaultContentType": {"const": "application/json"},
        "channels": keyed(
            exactly(
                {"address": {"type": ["string", "null"]}, "messages": keyed(REFERENCE)},
                bindings=BINDINGS,
            )
        ),
        "operations": keyed(
            exactly(
                {"action": {"enum": ["send", "receive"]}, "channel": REFERENCE},
                messages=REFERENCES,
                bindings=BINDINGS,
                reply=exactly(
                    {
                        "address": exactly(
                            {"location": {"pattern": r"^\$message\.(header|payload)#/"}}
                        ),
                        "channel": REFERENCE,
                        "messages": REFERENCES,
                    }
                ),
            )
        ),
        "components": exactly(
            {
                "messages": keyed(
                    exactly(
                        {"name": TEXT, "title": TEXT, "summary": TEXT, "payload": REFERENCE},
                        headers={"type": "object"},
                        bindings=BINDINGS,
                    )
                ),
                "schemas": keyed({"type": "object"}),
            }
        ),
    }
)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(reference: str) -> Any:
    value: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


def payload_schema(wire_name: str) -> dict[str, Any]:
    payload: dict[str, Any] = DOCUMENT["components"]["messages"][wire_name]["payload"]
    return payload | {"components": DOCUMENT["components"]}


def test_its_structure_is_that_of_the_specification() -> None:
    errors = Draft202012Validator(STRUCTURE).iter_errors(DOCUMENT)
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 100
    for reference in found:
        assert resolved(reference) is not None


def test_an_operation_names_messages_of_its_own_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        for part in (operation, operation.get("reply", {})):
            for message in part.get("messages", []):
                assert message["$ref"].startswith(part["channel"]["$ref"] + "/messages/")


def test_every_queue_receives_what_the_topology_says() -> None:
    received: dict[str, set[str]] = {queue.name: set() for queue in QUEUES}
    for operation in DOCUMENT["operations"].values():
        if operation["action"] == "receive":
            channel = operation["channel"]["$ref"].rpartition("/")[2]
            received[channel] |= {m["$ref"].rpartition("/")[2] for m in operation["messages"]}
    expected = {queue.name: {m.wire_name for m in queue.messages} for queue in QUEUES}
    assert received == expected


def test_every_request_says_what_answers_it() -> None:
    for queue in QUEUES:
        for message in queue.messages:
            operation = DOCUMENT["operations"][f"receive.{queue.name}.{message.wire_name}"]
            assert ("reply" in operation) == (queue.requests and issubclass(message, Command))


def test_every_message_is_there_with_its_reply() -> None:
    replies = {f"{name}.reply" for name, m in MESSAGES.items() if issubclass(m, Command)}
    assert set(DOCUMENT["components"]["messages"]) == set(MESSAGES) | replies


def test_every_schema_is_json_schema() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)  # AsyncAPI's own dialect is a superset of draft 7
        assert not re.search(r'"(prefixItems|\$defs|unevaluated\w+)"', json.dumps(schema))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_fits_its_schema(example: Path) -> None:
    body = json.loads(example.read_bytes())
    checker = Draft7Validator(payload_schema(example.stem), format_checker=FormatChecker())
    assert [error.message for error in checker.iter_errors(body)] == []
    for key in body:
        spoiled = [body | {key: value} for value in ({"no": ["such", "value"]}, -0.5)]
        assert not all(checker.is_valid(bad) for bad in spoiled)


def test_it_is_the_same_every_time() -> None:
    assert json.dumps(asyncapi_document()) == json.dumps(DOCUMENT)
