"""ITFlow's functions in the OpenAPI document, as its documentation would have them."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.api.itflow import FACES
from gateway.api.itflow.face import CREATE, READ, Face

Schema = dict[str, Any]


def paths() -> Iterator[tuple[str, Schema]]:
    for face in FACES:
        module, _, function = face.name.partition("/")
        operation: Schema = {
            "tags": ["itflow"],
            "summary": f"ITFlow: {face.summary}",
            "operationId": f"itflow_{function}_{module}",
            "security": [{"itflow": [face.required_scope]}],
            "responses": {"200": _envelope(face), "401": {"description": "no key, or a wrong one"}},
        }
        if face.kind is READ:
            operation["parameters"] = [_parameter(*item) for item in face.takes.items()]
        else:
            operation["requestBody"] = _body(face)
        yield face.path, {face.kind.method.lower(): operation}


def _parameter(name: str, about: str) -> Schema:
    told = {"description": about} if about else {}
    return {"name": name, "in": "query", "schema": {"type": "string"}} | told


def _body(face: Face) -> Schema:
    properties: Mapping[str, Schema] = {
        name: {"type": "string"} | ({"description": about} if about else {})
        for name, about in ({"api_key": "here or in the query"} | dict(face.takes)).items()
    }
    schema = {"type": "object", "properties": properties} | (
        {"required": list(face.needs)} if face.needs else {}
    )
    about = "JSON, whatever its type says"
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _envelope(face: Face) -> Schema:
    properties: Schema = {
        "success": {"enum": ["True", "False"]},
        "count": {"type": "string" if face.kind is CREATE else "integer"},
        "message": {"type": "string", "description": "why it failed"},
    }
    row = _row(face)
    if row:
        properties["data"] = {"type": "array", "items": {"type": "object", "properties": row}}
    schema = {"type": "object", "required": ["success"], "properties": properties}
    return {
        "description": "Also when it failed: see `success`",
        "content": {"application/json": {"schema": schema}},
    }


def _row(face: Face) -> Schema:
    if face.gives is not None:
        return {column: {"type": ["string", "null"]} for column in face.gives.columns}
    return {"insert_id": {"type": "integer"}} if face.kind is CREATE else {}
