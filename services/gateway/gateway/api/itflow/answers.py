"""The envelope: almost every answer has the status 200, and says in ``success`` how it went."""

import json
from collections.abc import Mapping, Sequence

from fastapi import Response

from gateway.api.itflow.call import Call
from gateway.api.itflow.rows import Table

WRONG_KEY = "Authentication failed. API key is invalid or has expired."
NO_SCOPE = "The user linked to this API key does not have permission for this action."
NOTHING_FOUND = "No resource (for this client and company) with the specified parameter(s)."
NOT_CREATED = (
    "Auth success but insert query failed, ensure ALL required variables are provided (and aren't"
    " duplicates where applicable) and database schema is up-to-date. Turn on error logging and"
    " look for 'undefined index'."
)
NOT_UPDATED = (
    "Auth success but update query failed/returned no results. Ensure ALL required variables are"
    " provided and database schema is up-to-date. Most likely cause: non-existent module ID (i.e."
    " bad contact ID/ticket ID/etc)."
)
NOT_DELETED = (
    "Auth success but delete query failed. Ensure ALL required variables are provided and database"
    " schema is up-to-date. Most likely cause: asset/client/company ID mismatch."
)

Headers = Mapping[str, str]


async def rows(call: Call, table: Table, docs: Sequence[str]) -> Response:
    """What was read; ``count`` is that of this page."""
    data = await table.data(docs, positional=call.services.settings.itflow_positional_keys)
    return answer(f'{{"success":"True","count":{len(docs)},"data":[{data}]}}')


def created(call: Call, id: int, *, replayed: bool) -> Response:
    told = f'{{"success":"True","count":"1","data":[{{"insert_id":{id}}}]}}'
    return answer(told, headers=_written(call, replayed=replayed))


def changed(call: Call, *, replayed: bool) -> Response:
    return answer('{"success":"True","count":1}', headers=_written(call, replayed=replayed))


def failed(message: str, status: int = 200, headers: Headers | None = None) -> Response:
    told = json.dumps({"success": "False", "message": message}, separators=(",", ":"))
    return answer(told, status, headers)


def answer(body: str, status: int = 200, headers: Headers | None = None) -> Response:
    return Response(body.replace("/", "\\/"), status, headers, media_type="application/json")


def empty(status: int) -> Response:
    return Response(status_code=status, media_type="application/json")


def _written(call: Call, *, replayed: bool) -> Headers:
    once = {"Idempotency-Key": call.request.scope["idempotency_key"]}
    return once | ({"Idempotent-Replayed": "true"} if replayed else {})
