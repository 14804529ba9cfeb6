"""What the resources that are kept as records have in common."""

from collections.abc import Sequence
from typing import Literal

import asyncpg
from fastapi import Request, Response

from deskwire.errors import NotFound
from gateway.api import answers, pages
from gateway.api.auth import caller
from gateway.api.pages import Paging
from gateway.api.services import services
from gateway.readmodel import reading
from gateway.readmodel.lists import RECORD_LIST, Filter, among


class RecordPaging(Paging):
    sort: Literal["id", "-id"] = "id"


class OfClients(RecordPaging):
    client_id: pages.Several[pages.Id] | None = None


async def read_record(request: Request, kind: str, id: int) -> Response:
    return answers.found(request, await require(request, kind, id))


async def require(request: Request, kind: str, id: int) -> asyncpg.Record:
    """The record's row, or `NotFound` when the caller may not see it."""
    row = await reading.record(services(request).database, kind, id, caller(request).within)
    if row is None:
        raise NotFound(f"there is no {kind} {id}")
    return row


async def list_records(
    request: Request, kind: str, query: RecordPaging, client_ids: Sequence[int] | None = None
) -> Response:
    filters = [Filter("kind", "one", kind)]
    within = caller(request).within
    if within is not None:
        filters.append(Filter("client_id", "one", within))
    if client_ids:
        filters.append(among("client_id", client_ids))
    return await pages.listed(request, RECORD_LIST, query, sort=query.sort, filters=filters)
