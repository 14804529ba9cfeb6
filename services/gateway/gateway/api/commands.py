"""Writes: the owner is asked over the broker, its answer is kept, then the caller gets it."""

import re
from typing import TypeVar
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from fastapi import Request, Response

from deskwire.contracts.base import Command, Reply
from deskwire.contracts.notifications import Suppression
from deskwire.contracts.records import Agent, Asset, Client, Contact, Domain, Location
from deskwire.contracts.schedules import Schedule
from deskwire.errors import Invalid
from deskwire.messaging.envelope import Envelope, current
from deskwire.messaging.requests import Answer, ask
from gateway.api.auth import caller
from gateway.api.services import services
from gateway.readmodel.documents import text_of
from gateway.readmodel.records import Record
from gateway.readmodel.replies import keep_reply

Created = TypeVar(
    "Created",
    bound=Client | Contact | Domain | Agent | Asset | Location | Schedule | Suppression,
)
Kept = TypeVar("Kept", bound=Record)

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def request_id(request: Request) -> UUID:
    """The id of this write: the same for the same key, place and Idempotency-Key.

    A write without an Idempotency-Key is given one, which goes out with the answer.
    """
    given = request.headers.get("idempotency-key")
    if given is not None and not _KEY.fullmatch(given):
        raise Invalid("1 to 255 printable ASCII characters", field="Idempotency-Key")
    key = given or request.scope.get("idempotency_key") or str(uuid4())
    request.scope["idempotency_key"] = key
    place = f"{caller(request).key.id} {request.method} {request.url.path} {key}"
    return uuid5(NAMESPACE_URL, place)


async def perform(request: Request, command: Command[Reply], *, part: str = "") -> Answer[Reply]:
    """Have the owner do it, once, and keep what it answers; what is caused carries on the
    request's trace.

    ``part`` tells the commands of one request apart.
    """
    id = uuid5(request_id(request), part) if part else request_id(request)
    return await ask_owner(request, command, id)


async def ask_owner(request: Request, command: Command[Reply], id: UUID) -> Answer[Reply]:
    at = services(request)
    cause = Envelope("http", b"", id, "", str(id), traceparent=request.scope["traceparent"])
    token = current.set(cause)
    try:
        answer = await ask(at.broker, command, id=id, timeout=at.settings.request_seconds)
    finally:
        current.reset(token)
    await keep_reply(at.database, answer.reply)
    return answer


def created(
    request: Request, place: str, doc: str, version: int | str | None, *, replayed: bool
) -> Response:
    """201 with the document; ``place`` is its path."""
    response = changed(request, doc, version, replayed=replayed, status=201)
    response.headers["Location"] = services(request).settings.public_url.rstrip("/") + place
    return response


def changed(
    request: Request,
    doc: str | bytes,
    version: int | str | None = None,
    *,
    replayed: bool,
    status: int = 200,
) -> Response:
    """What the write was answered with; without a version it is no single document."""
    headers = {"Idempotency-Key": request.scope["idempotency_key"]}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return Response(doc, status, headers, media_type="application/json")


async def create_record(request: Request, command: Command[Created], place: str) -> Response:
    answer = await perform(request, command)
    record = answer.reply
    doc = text_of(record)
    place = f"{place}/{record.id}"
    return created(request, place, doc, record.version, replayed=answer.replayed)


async def write_record(request: Request, command: Command[Kept], *, status: int = 200) -> Response:
    answer = await perform(request, command)
    doc, version = text_of(answer.reply), answer.reply.version
    return changed(request, doc, version, replayed=answer.replayed, status=status)
