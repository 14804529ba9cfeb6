"""If-Match: a change names the version that it changes (RFC 9110 section 13.1)."""

import re

from fastapi import Request

from deskwire.errors import StaleVersion
from gateway.api.errors import PreconditionRequired

IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of what was seen",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
    "example": '"2"',
}
IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
IF_SEEN = {
    "parameters": [
        IF_MATCH
        | {"required": False, "schema": {"type": "string", "pattern": r'^(\*|"[0-9]{1,9}")?$'}}
    ]
}
"""The `openapi_extra` of operations that go on without it."""

_ETAG = re.compile(r'"([0-9]{1,9})"')


def version_seen(request: Request) -> int:
    """What If-Match names. ``*`` names nothing that was seen: `PreconditionRequired`."""
    version = version_if_given(request)
    if version is None:
        raise PreconditionRequired
    return version


def version_if_given(request: Request) -> int | None:
    given = request.headers.get("if-match", "").strip()
    if given in ("", "*"):
        return None
    tag = _ETAG.fullmatch(given)
    if tag is None:
        raise StaleVersion('If-Match names no version: an ETag has its quotation marks, as "2"')
    return int(tag[1])
