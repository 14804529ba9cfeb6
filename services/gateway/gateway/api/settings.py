"""The instance's settings: one document, changed only by who has seen it."""

from fastapi import Request, Response

from deskwire.contracts.settings import Settings, UpdateSettings
from gateway.api.auth import caller, router, scope
from gateway.api.commands import make_record, told_of
from gateway.api.fields import Addresses, Name, RequestBody
from gateway.api.preconditions import version_seen
from gateway.api.records import read_record
from gateway.readmodel.documents import text_of
from gateway.readmodel.writing import SETTINGS_ID

routes = router("/settings", "settings")


class SettingsChange(RequestBody):
    """What is left out stays as it is."""

    ticket_prefix: Name | None = None
    client_notifications: bool | None = None
    new_ticket_addresses: Addresses | None = None


@routes.get("", response_model=Settings)
@scope("settings:read")
async def read_settings(request: Request) -> Response:
    """The settings; their ETag is what a change must name."""
    return await read_record(request, "settings", SETTINGS_ID)


@routes.patch("", response_model=Settings)
@scope("settings:write")
async def change_settings(request: Request, change: SettingsChange) -> Response:
    """Change settings. `If-Match` is required: 428 without it, 412 when they have changed since."""
    caller(request).everywhere()
    command = UpdateSettings(if_version=version_seen(request), **change.model_dump())
    answer = await make_record(request, command)
    version = answer.reply.version
    headers = told_of(request, version, replayed=answer.replayed)
    return Response(text_of(answer.reply), headers=headers, media_type="application/json")
