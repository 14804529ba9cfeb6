"""What an operation can answer besides its document: refusals by status, and headers."""

from typing import Any

from gateway.api.errors import STATUS

Schema = dict[str, Any]

PROBLEM: Schema = {
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

HEADERS: dict[str, Schema] = {
    "ETag": {"description": "The version, for `If-Match` and `If-None-Match`"},
    "Location": {"description": "Where it is to be read"},
    "Idempotency-Key": {"description": "The one that was sent, or one that was made for it"},
    "Idempotent-Replayed": {"description": "`true`: done before, this is the answer of then"},
    "Retry-After": {"description": "Seconds"},
    "RateLimit-Limit": {"description": "Requests in a window"},
    "RateLimit-Remaining": {"description": "Requests that are left in this window"},
    "RateLimit-Reset": {"description": "Seconds until the next window"},
    "WWW-Authenticate": {"description": "How a key is sent"},
}
COUNTS = {"Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}
RATES = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

REFUSALS: dict[int, tuple[str, str, tuple[str, ...]]] = {
    400: ("malformed", "It cannot be read: no JSON, or a cursor that is not ours", ()),
    401: ("unauthorized", "Without a key, or with a wrong one", ("WWW-Authenticate",)),
    403: ("forbidden", "The key does not allow it", ()),
    404: ("not_found", "It is not there, or not for this key", ()),
    409: ("conflict", "What is there speaks against it", ()),
    410: ("gone", "It was there, and is not kept any more", ()),
    412: ("stale_version", "It was changed since the version of `If-Match`", ()),
    413: ("too_large", "The body is too large", ()),
    415: ("unsupported_media_type", "The body is of another type", ()),
    416: ("range_not_satisfiable", "The range begins behind the end", ()),
    422: ("invalid", "A field is wrong, or the Idempotency-Key is that of another body", ()),
    428: ("precondition_required", "Without `If-Match`", ()),
    429: ("rate_limited", "Too many requests", ("Retry-After", *RATES)),
    503: ("unavailable", "Not now: send the same again, it is done once", ("Retry-After",)),
}
"""By status: the code that it mostly has, when it comes, and what it bears."""


def components() -> Schema:
    """The headers and refusals that all operations refer to."""
    headers = {
        name: about | {"schema": {"type": "integer" if name in COUNTS else "string"}}
        for name, about in HEADERS.items()
    }
    return {"headers": headers, "responses": {str(s): _refusal(s) for s in REFUSALS}}


def refused(*statuses: int) -> Schema:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}


def bearing(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


FRESH: Schema = {"description": "It is what If-None-Match names", "headers": bearing("ETag")}


def _refusal(status: int) -> Schema:
    code, when, headers = REFUSALS[status]
    example = {
        "type": f"/docs#{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": when,
        "code": code,
        "errors": [],
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }
    schema = {"$ref": "#/components/schemas/Problem"}
    media = {"application/problem+json": {"schema": schema, "example": example}}
    return {"description": when, "content": media} | (
        {"headers": bearing(*headers)} if headers else {}
    )
