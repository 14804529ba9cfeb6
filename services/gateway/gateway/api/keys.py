"""API keys, for who holds one with the scope admin."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from deskwire.errors import Conflict
from gateway import keys
from gateway.api import answers, pages
from gateway.api.auth import router, scope
from gateway.api.commands import created, request_id
from gateway.api.fields import Id, Moment, Name, RequestBody
from gateway.api.pages import Page, Paging
from gateway.api.records import require
from gateway.api.services import services
from gateway.readmodel.lists import KEY_LIST, Place

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


class ShownKey(BaseModel):
    """``agent_id``: whom it acts as; while that agent is archived it does not work."""

    id: int
    name: str
    client_id: int | None
    agent_id: int | None
    scopes: Annotated[list[str], BeforeValidator(sorted)]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class MadeKey(ShownKey):
    key: str = Field(description="shown this once")


@routes.get("", response_model=Page[ShownKey])
@scope("admin", everywhere=True)
async def list_keys(request: Request, query: Annotated[Paging, Query()]) -> Response:
    """All keys, revoked ones too; never their secrets."""
    database, limit = services(request).database, query.limit
    after = pages.opened(query.cursor, KEY_LIST, "id").id if query.cursor else 0
    found = await keys.list_keys(database, after=after, limit=limit + 1)
    last = Place(found[limit - 1].id, found[limit - 1].id) if len(found) > limit else None
    total = await keys.count_keys(database) if query.total else None
    return pages.answer([_shown(key) for key in found[:limit]], "id", last, total)


@routes.get("/{key_id:int}", response_model=ShownKey)
@scope("admin", everywhere=True)
async def read_key(request: Request, key_id: int) -> Response:
    """One key, without its secret."""
    key = await keys.read_key(services(request).database, key_id)
    return answers.tagged(request, _shown(key))


@routes.post("", status_code=201, response_model=MadeKey)
@scope("admin", everywhere=True)
async def create_key(request: Request, new: NewKey) -> Response:
    """Make a key. The answer is the only place that ever shows it, for only its hash is kept: the
    same request with its `Idempotency-Key` again gets 409, which names the key that it has made.
    If the answer was lost, revoke that one and make another."""
    for kind, id in (("client", new.client_id), ("agent", new.agent_id)):
        field = f"{kind}_id"
        if id is not None and (await require(request, kind, id, field=field))["archived"]:
            raise Conflict(f"the {kind} is archived", field=field)
    request_key, database = request_id(request), services(request).database
    secret = await keys.create_key(database, **new.model_dump(), request_id=request_key)
    key = await keys.read_key(database, int(secret.split("_")[1]))
    made = MadeKey.model_validate(asdict(key) | {"key": secret})
    place, doc = f"/api/v1/keys/{key.id}", made.model_dump_json()
    return created(request, place, doc, None, replayed=False)


@routes.delete("/{key_id:int}", status_code=204)
@scope("admin", everywhere=True)
async def revoke_key(request: Request, key_id: int) -> Response:
    """Revoke a key: it is refused everywhere within five seconds."""
    await keys.revoke_key(services(request).database, key_id)
    return Response(status_code=204)


def _shown(key: keys.Key) -> str:
    return ShownKey.model_validate(key, from_attributes=True).model_dump_json()
