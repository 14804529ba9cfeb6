"""Examples of requests and answers, made from their schemas: values that a reader recognises."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.api.samples import BY_FORMAT, SAMPLES

Schema = Mapping[str, Any]

PREFIXES = ("ticket_", "client_", "contact_", "asset_", "domain_", "location_")
"""What ITFlow's names begin with."""

UNKNOWN = "…"

LEFT_OUT = {"message", "truncated"}
"""What is only said when something is amiss, or left out."""

TYPES = {str: "string", int: "integer", list: "array", dict: "object"}


_RFC3339 = re.compile(r"^([0-9-]{10})T([0-9:]{8})Z$")


class Examples:
    """Of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def media(self, schema: Schema) -> dict[str, Any]:
        """`example`, or `examples` of each kind that there is, for a media type."""
        kinds = schema.get("oneOf")
        if not kinds:
            return {"example": self.of(schema)}
        return {"examples": {_referred(kind): {"value": self.of(kind)} for kind in kinds}}

    def of(self, schema: Schema, name: str = "", owner: str = "") -> Any:
        for sample in _samples(owner, name):
            if self._fits(sample, schema):
                return sample
        if "$ref" in schema:
            return self.of(self._schemas[_referred(schema)], owner=_referred(schema))
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            return self._of_several(kinds, name)
        if "examples" in schema:
            return schema["examples"][0]
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        return self._of_type(schema, owner)

    def _fits(self, sample: Any, schema: Schema) -> bool:
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            return any(self._fits(sample, kind) for kind in kinds)
        if sample is None:
            return schema == {"type": "null"}
        if "$ref" in schema:
            return self._fits(sample, self._schemas[_referred(schema)])
        if "enum" in schema or "const" in schema:
            return sample in schema.get("enum", [schema.get("const")])
        allowed = schema.get("type", ())
        return TYPES.get(type(sample)) in ([allowed] if isinstance(allowed, str) else allowed)

    def _of_several(self, kinds: Sequence[Schema], name: str) -> Any:
        """What may be null is so, unless it is known by its name or is a document."""
        if {"type": "null"} in kinds and not any("$ref" in kind for kind in kinds):
            return None
        return self.of(kinds[0], name)

    def _of_type(self, schema: Schema, owner: str) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, owner)
        if kind == "array":
            return [self.of(schema["items"])]
        if kind == "string":
            return BY_FORMAT.get(schema.get("format", ""), UNKNOWN)
        plain = {"integer": int(schema.get("minimum", 1)), "number": 1.0, "boolean": False}
        return plain.get(kind) if isinstance(kind, str) else None

    def _object(self, schema: Schema, owner: str) -> dict[str, Any]:
        """A request leaves out what needs not be said."""
        required = schema.get("required", ())
        request = schema.get("additionalProperties") is False
        made = {}
        for name, field in schema.get("properties", {}).items():
            value = self.of(field, name, owner)
            told = value is not None and value != field.get("default")
            if name in required or (told if request else name not in LEFT_OUT):
                made[name] = value
        return made


def _referred(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _samples(owner: str, name: str) -> Iterator[Any]:
    """What may be meant, the likeliest first: at last as ITFlow has it, where all is text."""
    for known in (f"{owner}.{name}", name):
        if known in SAMPLES:
            yield SAMPLES[known]
    for prefix in ("", *PREFIXES):
        sample = SAMPLES.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if isinstance(sample, int):
            yield str(sample)
        elif isinstance(sample, str):
            yield _RFC3339.sub(r"\1 \2", sample)
