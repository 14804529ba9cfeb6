"""ITFlow's API as its scripts call it, and its answers byte for byte."""

import json
from collections.abc import Mapping
from typing import Any

from gateway_api import Answer, Api

NOTHING = (
    b'{"success":"False","message":"No resource (for this client and company) with the specified'
    b' parameter(s)."}'
)
WRONG_KEY = (
    b'{"success":"False","message":"Authentication failed. API key is invalid or has expired."}'
)
NOT_CREATED = (
    b'{"success":"False","message":"Auth success but insert query failed, ensure ALL required'
    b" variables are provided (and aren't duplicates where applicable) and database schema is"
    b" up-to-date. Turn on error logging and look for 'undefined index'.\"}"
)
NOT_UPDATED = (
    b'{"success":"False","message":"Auth success but update query failed\\/returned no results.'
    b" Ensure ALL required variables are provided and database schema is up-to-date. Most likely"
    b' cause: non-existent module ID (i.e. bad contact ID\\/ticket ID\\/etc)."}'
)
NOT_DELETED = (
    b'{"success":"False","message":"Auth success but delete query failed. Ensure ALL required'
    b" variables are provided and database schema is up-to-date. Most likely cause:"
    b' asset\\/client\\/company ID mismatch."}'
)
ONLY_GET = b'{"success":"False","message":"Can only send GET requests to this endpoint."}'
ONLY_POST = b'{"success":"False","message":"Can only send POST requests to this endpoint."}'
UPDATED = b'{"success":"True","count":1}'


def made(id: int) -> bytes:
    return b'{"success":"True","count":"1","data":[{"insert_id":%d}]}' % id


async def read(api: Api, name: str, query: str = "") -> Answer:
    """With the key in the query."""
    return await api.using("").get(f"/api/v1/{name}.php?api_key={api.key}&{query}")


async def rows(api: Api, name: str, query: str = "") -> list[dict[str, Any]]:
    """The named columns of the rows, none when nothing was found."""
    answer = await read(api, name, query)
    assert answer.status == 200, answer.body
    found = answer.json.get("data", [])
    assert answer.json.get("count", 0) == len(found)
    return [{n: v for n, v in row.items() if not n.isdigit()} for row in found]


async def write(api: Api, name: str, values: Mapping[str, object], **headers: str) -> Answer:
    """As PowerShell does it: JSON that calls itself a form."""
    body = json.dumps({"api_key": api.key, **values}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return await api.using("").call("POST", f"/api/v1/{name}.php", body, kind | headers)


async def insert(api: Api, name: str, values: Mapping[str, object]) -> int:
    answer = await write(api, name, values)
    assert answer.json["success"] == "True", answer.body
    id: int = answer.json["data"][0]["insert_id"]
    assert answer.body == made(id)
    return id
