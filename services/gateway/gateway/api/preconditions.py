"""If-Match: a change names the version that it changes (RFC 9110 section 13.1.1)."""

import re

from fastapi import Request

from deskwire.errors import StaleVersion
from gateway.api.errors import PreconditionRequired

_ETAG = re.compile(r'"(\d{1,9})"')


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
        raise StaleVersion("If-Match names no version that there ever was")
    return int(tag[1])
