"""API keys, for who holds one with the scope admin."""

from datetime import datetime
from typing import Annotated

import orjson
from fastapi import Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from gateway import keys
from gateway.api.auth import caller, router, scope
from gateway.api.commands import request_id
from gateway.api.fields import Id, Moment, Name, RequestBody
from gateway.api.services import services
from gateway.readmodel.reading import LARGEST_ID

routes = router("/keys", "keys")


def _known(name: str) -> str:
    if name not in keys.SCOPES:
        raise ValueError(f"must be one of {', '.join(sorted(keys.SCOPES))}")
    return name


Scope = Annotated[
    str, AfterValidator(_known), Field(json_schema_extra={"enum": sorted(keys.SCOPES)})
]


class NewKey(RequestBody):
    name: Name
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=50)
    client_id: Id | None = None
    agent_id: Id | None = None
    expires_at: Moment | None = None


class MadeKey(BaseModel):
    key: str = Field(description="shown this once")


class ShownKey(BaseModel):
    id: int
    name: str
    client_id: int | None
    agent_id: int | None
    scopes: Annotated[list[str], BeforeValidator(sorted)]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class ShownKeys(BaseModel):
    data: list[ShownKey]


@routes.get("", response_model=ShownKeys)
@scope("admin")
async def list_keys(request: Request) -> Response:
    """All keys, revoked ones too; never their secrets."""
    caller(request).everywhere()
    found = await keys.list_keys(services(request).database)
    shown = ShownKeys(data=[ShownKey.model_validate(k, from_attributes=True) for k in found])
    return Response(shown.model_dump_json(), media_type="application/json")


@routes.post("", status_code=201, response_model=MadeKey)
@scope("admin")
async def create_key(request: Request, new: NewKey) -> Response:
    """Make a key. The answer is the only place that ever shows it: a repeated request gets 409."""
    caller(request).everywhere()
    id = request_id(request)
    key = await keys.create_key(services(request).database, **new.model_dump(), request_id=id)
    headers = {"Idempotency-Key": request.scope["idempotency_key"]}
    return Response(orjson.dumps({"key": key}), 201, headers, media_type="application/json")


@routes.delete("/{key_id:int}", status_code=204)
@scope("admin")
async def revoke_key(request: Request, key_id: int) -> Response:
    """Revoke a key: it is refused everywhere within five seconds."""
    caller(request).everywhere()
    await keys.revoke_key(services(request).database, min(key_id, LARGEST_ID))
    return Response(status_code=204)
