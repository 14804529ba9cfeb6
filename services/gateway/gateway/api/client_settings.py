"""What is in force for a client: the instance's settings, but for what the client has otherwise."""

import asyncpg
import orjson
from fastapi import Request, Response

from deskwire.contracts.settings import PolicyChanges, PolicySettings, UpdateClientSettings
from deskwire.errors import NotFound
from gateway.api import answers
from gateway.api.auth import caller, router, scope
from gateway.api.commands import changed, perform
from gateway.api.preconditions import version_seen
from gateway.api.services import services
from gateway.api.settings import PolicyChange
from gateway.readmodel import reading

routes = router("/clients/{client_id:int}/settings", "settings")


class SettingsInForce(PolicySettings):
    """``overridden``: the settings that the client has otherwise."""

    overridden: tuple[str, ...]
    version: int


@routes.get("", response_model=SettingsInForce)
@scope("settings:read")
async def read_client_settings(request: Request, client_id: int) -> Response:
    """What is in force for the client, and what of it is otherwise than the instance's."""
    row = await _row(request, client_id)
    return answers.found(request, row, _in_force(row))


@routes.patch("", response_model=SettingsInForce)
@scope("settings:write", everywhere=True)
async def change_client_settings(
    request: Request, client_id: int, change: PolicyChange
) -> Response:
    """Have it otherwise for this client; null takes that back. `If-Match` is required."""
    by = caller(request)
    command = UpdateClientSettings(
        client_id=client_id,
        changes=PolicyChanges(**change.model_dump(exclude_unset=True)),
        if_version=version_seen(request),
        actor=by.actor,
    )
    answer = await perform(request, command)
    row = await _row(request, client_id)
    return changed(request, _in_force(row), row["version"], replayed=answer.replayed)


async def _row(request: Request, client_id: int) -> asyncpg.Record:
    database, within = services(request).database, caller(request).within
    row = await reading.client_settings(database, client_id, within)
    if row is None:
        raise NotFound(f"there is no client {client_id}")
    return row


def _in_force(row: asyncpg.Record) -> str:
    overrides = orjson.loads(row["overrides"])["overrides"] if row["overrides"] else {}
    values = orjson.loads(row["settings"]) | overrides
    values |= {"overridden": tuple(overrides), "version": row["version"]}
    return SettingsInForce.model_validate(values).model_dump_json()
