"""What FastAPI cannot know of our routes, added to the document that it makes of them."""

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.auth import Route
from gateway.api.errors import STATUS
from gateway.api.itflow import described

_PARAMETER = re.compile(r"{(\w+)}")
_CONVERTOR = re.compile(r":\w+}")

KEY = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255}}
IF_MATCH = {"name": "If-Match", "in": "header", "required": True, "schema": {"type": "string"}}
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` name the fields that are wrong.",
    "required": ["type", "title", "status", "detail", "code", "errors", "trace_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(STATUS)},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "trace_id": {"type": "string"},
    },
}
REFUSED = {
    "description": "The request was refused, or could not be served now",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`dw_<id>_<secret>`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "itflow": {"type": "apiKey", "in": "query", "name": "api_key", "description": "or in the body"},
}


def document(app: FastAPI, public_url: str) -> dict[str, Any]:
    """The whole API, ITFlow's face too if the application serves it."""
    found = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    found["servers"] = [{"url": public_url or "/"}]
    for route in app.routes:
        if isinstance(route, Route):
            for method in route.methods or ():
                _complete(found["paths"][route.path_format][method.lower()], route, method)
    served = {getattr(route, "path", "") for route in app.routes}
    found["paths"] |= {path: item for path, item in described.paths() if path in served}
    schemas = found["components"]["schemas"]
    for framework_error in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework_error, None)
    schemas["Problem"] = PROBLEM
    found["components"]["securitySchemes"] = SCHEMES
    _hide(schemas)
    return found


def _complete(operation: dict[str, Any], route: Route, method: str) -> None:
    scope = [route.required_scope]
    operation["security"] = [{"bearer": scope}, {"header": scope}]
    parameters = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in parameters}
    for name in _PARAMETER.findall(route.path_format):
        if name not in known:
            integer = {"type": "integer"}
            parameters.append({"name": name, "in": "path", "required": True, "schema": integer})
    parameters += {"POST": [KEY], "PATCH": [IF_MATCH]}.get(method, [])
    if method == "GET" and route.path_format.endswith("}"):
        parameters.append(IF_NONE_MATCH)
        operation["responses"]["304"] = {"description": "It is what If-None-Match names"}
    operation["responses"].pop("422", None)
    for media in operation["responses"].get("200", {}).get("content", {}).values():
        if "$ref" in media["schema"]:  # FastAPI calls what is not JSON a string
            media["schema"].pop("type", None)
    operation["responses"]["default"] = REFUSED


def _hide(schemas: dict[str, Any]) -> None:
    """What `documents.text_of` leaves out."""
    schemas["Body"]["description"] = "Text and its HTML."
    schemas["Body"]["properties"].pop("blob_id")
    schemas["Body"]["properties"]["truncated"] = {
        "type": "boolean",
        "description": "true: only the beginning, read the single document for the whole",
    }
    schemas["StoredFile"]["properties"].pop("blob_id")
    schemas["StoredFile"]["required"].remove("blob_id")
    for name in ("author", "within_client", "source"):
        schemas["OpenTicket"]["properties"].pop(name)
