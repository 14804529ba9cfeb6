"""The reference: the OpenAPI document, and a page that renders it and loads nothing else."""

import base64
import re
from hashlib import sha256
from importlib.resources import files

import orjson
from fastapi import Request, Response
from starlette.routing import Route

_PAGE = files("gateway.api").joinpath("docs.html").read_text(encoding="utf-8")


def _source(tag: str) -> str:
    """What CSP lets through of an inline element: exactly the one in the page."""
    inline = re.search(f"<{tag}>(.*?)</{tag}>", _PAGE, re.DOTALL)
    digest = sha256(inline[1].encode() if inline else b"").digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


POLICY = (
    f"default-src 'none'; script-src {_source('script')}; style-src {_source('style')}; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def read_openapi(request: Request) -> Response:
    document = orjson.dumps(request.app.state.openapi())
    return Response(document, media_type="application/json")


async def read_page(_request: Request) -> Response:
    return Response(_PAGE, headers={"Content-Security-Policy": POLICY}, media_type="text/html")


routes = [Route("/api/v1/openapi.json", read_openapi), Route("/docs", read_page)]
