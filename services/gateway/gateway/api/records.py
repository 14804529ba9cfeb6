"""What the resources that are kept as records have in common."""

from typing import Any, Literal, get_args

import asyncpg
from fastapi import Request, Response
from pydantic import BaseModel, Field

from deskwire.contracts import people
from deskwire.contracts.base import Command
from deskwire.contracts.people import RecordChanges
from deskwire.errors import NotFound
from gateway.api import answers, pages
from gateway.api.auth import caller
from gateway.api.commands import Created, create_record, write_record
from gateway.api.fields import Note, RequestBody
from gateway.api.pages import Paging
from gateway.api.preconditions import version_if_given
from gateway.api.services import services
from gateway.readmodel import reading
from gateway.readmodel.lists import RECORD_LIST, Filter, among
from gateway.readmodel.lookups import lookup
from gateway.readmodel.words import folded, searched

Change = (
    people.ChangeClient
    | people.ChangeContact
    | people.ChangeDomain
    | people.ChangeAgent
    | people.ChangeAsset
    | people.ChangeLocation
)


class RecordPaging(Paging):
    sort: Literal["id", "-id"] = "id"

    def filters(self, kind: str) -> list[Filter]:
        return [Filter("kind", "one", kind)]


class OfClients(RecordPaging):
    client_id: pages.Several[pages.Id] | None = None

    def filters(self, kind: str) -> list[Filter]:
        found = super().filters(kind)
        return [*found, among("client_id", self.client_id)] if self.client_id else found


class ArchivedPaging(RecordPaging):
    """Of records that can be archived."""

    archived: Literal["true", "false", "any"] = "false"

    def filters(self, kind: str) -> list[Filter]:
        found = super().filters(kind)
        if self.archived != "any":
            found.append(Filter("archived", "one", self.archived == "true"))
        return found


class NamedPaging(ArchivedPaging):
    """Of those that have a name, too."""

    sort: Literal["id", "-id", "name", "-name"] = "id"  # type: ignore[assignment]  # more of them
    name: Note | None = Field(None, max_length=200, description="all of it, whatever its case")
    q: Note | None = Field(
        None, max_length=200, description="words of the name or address, or how they begin"
    )

    def filters(self, kind: str) -> list[Filter]:
        found = super().filters(kind)
        for field in ("name", "email"):
            value = getattr(self, field, None)
            if value is not None:
                found.append(Filter("lookups", "any of", [lookup(field, value)]))
        if self.q is not None and folded(self.q):
            found.append(Filter("words", "words", searched(kind, self.q)))
        return found


class NamedOfClients(NamedPaging, OfClients):
    pass


async def read_record(request: Request, kind: str, id: int) -> Response:
    return answers.found(request, await require(request, kind, id))


async def require(
    request: Request, kind: str, id: int, *, field: str | None = None
) -> asyncpg.Record:
    """The record's row, or `NotFound` when the caller may not see it. ``field`` names it."""
    row = await reading.record(services(request).database, kind, id, caller(request).within)
    if row is None:
        raise NotFound(f"there is no {kind} {id}", field=field)
    return row


async def list_records(request: Request, kind: str, query: RecordPaging, *more: Filter) -> Response:
    filters = [*query.filters(kind), *more]
    within = caller(request).within
    if within is not None:
        filters.append(Filter("client_id", "one", within))
    return await pages.listed(request, RECORD_LIST, query, sort=query.sort, filters=filters)


async def create_of_client(
    request: Request, command: type[Command[Created]], new: RequestBody
) -> Response:
    """Within the client of the caller's key; the answer's place is that of the request."""
    values = new.model_dump(exclude_none=True) | {"within_client": caller(request).within}
    made = command.model_validate(values)
    return await create_record(request, made, request.url.path)


async def change_record(
    request: Request, command: type[Change], id: int, change: RequestBody
) -> Response:
    changes: Any = command.model_fields["changes"].annotation
    return await _change(request, command, id, changes.model_validate(given(change, changes)))


async def archive_record(
    request: Request, command: type[Change], id: int, *, archived: bool
) -> Response:
    """What is so already stays so."""
    changes: Any = command.model_fields["changes"].annotation
    return await _change(request, command, id, changes(archived=archived))


def given(change: RequestBody, changes: type[BaseModel]) -> dict[str, Any]:
    """Null takes back; what is always there cannot be taken back: its null is as left out."""
    values = change.model_dump(include=change.model_fields_set)
    return {
        name: value
        for name, value in values.items()
        if value is not None or _takes_null(changes.model_fields[name].annotation)
    }


def _takes_null(kind: object) -> bool:
    return type(None) in (kind, *get_args(kind))


async def _change(
    request: Request, command: type[Change], id: int, changes: RecordChanges
) -> Response:
    values = {"id": id, "changes": changes, "within_client": caller(request).within}
    made: Command[Any] = command.model_validate(values | {"if_version": version_if_given(request)})
    return await write_record(request, made)
