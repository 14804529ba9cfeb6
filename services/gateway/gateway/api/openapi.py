"""What FastAPI cannot know of our routes, added to the document that it makes of them."""

import re
from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.api.auth import PUBLIC, Route
from gateway.api.examples import Examples
from gateway.api.fields import LARGEST_ID
from gateway.api.itflow import described
from gateway.api.preconditions import IF_MATCH, IF_NONE_MATCH
from gateway.api.responses import FRESH, PROBLEM, RATES, bearing, components, refused

Schema = dict[str, Any]
Schemas = Mapping[str, Mapping[str, Any]]

_PARAMETER = re.compile(r"{(\w+)}")

KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
}
ID: Schema = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "`dw_<id>_<secret>`"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "itflow": {"type": "apiKey", "in": "query", "name": "api_key", "description": "or in the body"},
}

EVERYWHERE = "\n\nOnly with a key that is not bound to a client."


def document(app: FastAPI, public_url: str) -> dict[str, Any]:
    """The whole API, ITFlow's face too if the application serves it."""
    found = get_openapi(
        title=app.title, version=app.version, summary=app.summary, routes=app.routes
    )
    found["servers"] = [{"url": public_url or "/"}]
    schemas = found["components"]["schemas"]
    for route in app.routes:
        if isinstance(route, Route):
            for method in route.methods or ():
                operation = found["paths"][route.path_format][method.lower()]
                _complete(operation, route, method, schemas)
    served = {getattr(route, "path", "") for route in app.routes}
    found["paths"] |= {path: item for path, item in described.paths() if path in served}
    for framework_error in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework_error, None)
    schemas["Problem"] = PROBLEM
    found["components"] |= components() | {"securitySchemes": SCHEMES}
    _hide(schemas)
    _exemplify(found)
    whole: Schema = _whole_numbers(found)
    return whole


def _complete(operation: dict[str, Any], route: Route, method: str, schemas: Schemas) -> None:
    scope = [route.required_scope]
    if route.required_scope != PUBLIC:
        operation["security"] = [{"bearer": scope}, {"header": scope}]
    if route.everywhere:
        operation["description"] += EVERYWHERE
    _complete_parameters(operation, route.path_format, method)
    answers = operation["responses"]
    answers.pop("422", None)
    for media in answers.get("200", {}).get("content", {}).values():
        if "$ref" in media["schema"]:  # FastAPI calls what is not JSON a string
            media["schema"].pop("type", None)
    for status, answer in list(answers.items()):
        fields = _fields(answer, schemas)
        answer["headers"] = bearing(*_headers(method, status, fields)) | answer.get("headers", {})
        if method == "GET" and _is_document(fields):
            operation["parameters"].append(IF_NONE_MATCH)
            answers["304"] = FRESH
    answers |= refused(*_refusals(operation, method))


def _complete_parameters(operation: dict[str, Any], path: str, method: str) -> None:
    parameters = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in parameters}
    for name in _PARAMETER.findall(path):
        if name not in known:
            parameters.append({"name": name, "in": "path", "required": True, "schema": ID})
    given = {"POST": [KEY], "PATCH": [IF_MATCH], "PUT": [IF_MATCH]}.get(method, [])
    parameters += [each for each in given if each["name"] not in known]


def _fields(answer: Mapping[str, Any], schemas: Schemas) -> Collection[str]:
    """The names of the fields of a JSON document, if it is one."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return schemas[name].get("properties", {}).keys() if name else ()


def _is_document(fields: Collection[str]) -> bool:
    return bool(fields) and "data" not in fields


def _headers(method: str, status: str, fields: Collection[str]) -> list[str]:
    """What an answer that is not refused bears."""
    found = [*RATES]
    if "version" in fields or (method in ("GET", "PUT") and _is_document(fields)):
        found.append("ETag")
    if method != "GET" and fields:
        found += ["Idempotency-Key", "Idempotent-Replayed"]
    if status == "201" and "id" in fields:
        found.append("Location")
    return found


def _refusals(operation: Mapping[str, Any], method: str) -> list[int]:
    found = [400, 401, 403, 404, 422, 429, 503]
    if method != "GET":
        found.append(409)
    if "requestBody" in operation:
        found += [413, 415]
    if "206" in operation["responses"]:
        found.append(416)
    given = {each["name"]: each for each in operation["parameters"]}
    if "If-Match" in given:
        found += [412] + ([428] if given["If-Match"].get("required") else [])
    return sorted(found)


_OF_INBOUND = {
    "size": "bytes, as the server told it",
    "decided_by": "who retried, accepted or discarded it last",
    "raw_deleted_at": "since then `…/raw` answers 410: it was kept for as long as it is to be",
}


def _hide(schemas: dict[str, Any]) -> None:
    """What `documents.text_of` leaves out."""
    schemas["Body"]["description"] = "Text and its HTML."
    schemas["Body"]["properties"].pop("blob_id")
    schemas["Body"]["properties"]["truncated"] = {
        "type": "boolean",
        "description": "true: only the beginning, read the single document for the whole",
    }
    schemas["EntryBody"] = deepcopy(schemas["Body"])
    schemas["EntryBody"]["description"] = "What was written; of a mail, what else was in it."
    schemas["Entry"]["properties"]["body"]["$ref"] = "#/components/schemas/EntryBody"
    for name in ("quoted", "signature"):
        schemas["Body"]["properties"].pop(name)
    schemas["StoredFile"]["properties"].pop("blob_id")
    schemas["StoredFile"]["properties"].pop("sha256")
    schemas["StoredFile"]["required"].remove("blob_id")
    for name in ("InboundMail", "MailIn"):
        schemas[name]["properties"].pop("raw_id")
        schemas[name]["description"] = "A mail that came in; `reason` says why this became of it."
    for name, told in _OF_INBOUND.items():
        schemas["InboundMail"]["properties"][name]["description"] = told
    for name in ("author", "within_client", "uploader", "source"):
        schemas["OpenTicket"]["properties"].pop(name)


def _exemplify(document: dict[str, Any]) -> None:
    """Every operation with a request and an answer to look at."""
    examples = Examples(document["components"]["schemas"])
    operations = (each for item in document["paths"].values() for each in item.values())
    for operation in operations:
        for each in operation.get("parameters", ()):
            if each["in"] == "path" or each.get("required"):
                each["example"] = examples.of(each["schema"], each["name"])
        answers = [each for s, each in operation["responses"].items() if s.startswith("2")]
        for told in (operation.get("requestBody", {}), *answers):
            for media in told.get("content", {}).values():
                media.update(examples.media(media["schema"]))


def _whole_numbers(value: Any) -> Any:
    """FastAPI makes floats of limits: 9007199254740991.0 is no integer to who reads strictly."""
    if isinstance(value, dict):
        return {name: _whole_numbers(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
