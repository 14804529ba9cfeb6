"""Lists: their query parameters, their opaque cursors, and the page as it goes out."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
import orjson
from fastapi import Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from gateway.api.answers import whole_docs
from gateway.api.auth import caller
from gateway.api.errors import Malformed
from gateway.api.fields import LARGEST_ID, Moment
from gateway.api.services import services
from gateway.readmodel import lists, outside
from gateway.readmodel.lists import Filter, Listing, Place, Query

LONGEST_CURSOR = 500

Document = TypeVar("Document")
Value = TypeVar("Value")


class Page(BaseModel, Generic[Document]):
    """``next_cursor`` is null on the last page; ``total`` is there when asked for, unless it is
    more than what is counted."""

    data: list[Document]
    next_cursor: str | None
    total: int | None


def _split(values: Any) -> Any:
    """Repeated parameters, and commas in them: ``status=open&status=hold,working``."""
    given = values if isinstance(values, list) else [values]
    return [part.strip() for value in given for part in str(value).split(",")]


Several = Annotated[list[Value], BeforeValidator(_split), Field(max_length=100)]
"""A filter that takes one or more values."""

Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Parameters(BaseModel):
    """Of a query. One that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Paging(Parameters):
    """Of every list."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, description="`next_cursor` of the page before")
    total: bool = Field(
        default=False,
        description=f"count what the filters let through; null for more than {lists.COUNTED:,}",
    )


async def listed(
    request: Request, listing: Listing, paging: Paging, *, sort: str, filters: Sequence[Filter]
) -> Response:
    """One page; ``sort`` is a name the listing knows, with ``-`` before it for descending."""
    database = services(request).database
    by, descending = sort.removeprefix("-"), sort.startswith("-")
    after = opened(paging.cursor, listing, sort) if paging.cursor else None
    query = Query(by, paging.limit, descending=descending, after=after, filters=filters)
    found = await lists.page(database, listing, query)
    docs = await _docs(request, listing, found.rows)
    count = await lists.total(database, listing, filters) if paging.total else None
    return answer(docs, sort, found.next, count)


async def _docs(request: Request, listing: Listing, rows: Sequence[asyncpg.Record]) -> list[str]:
    """Large bodies are whole in a timeline, which nothing else shows, and beginnings in a list."""
    if listing is not lists.TIMELINE:
        return [row["doc"] for row in rows]
    docs = await whole_docs(request, rows)
    return docs if caller(request).sees_internal else [outside.entry(doc) for doc in docs]


def answer(docs: Sequence[str], sort: str, after: Place | None, total: int | None) -> Response:
    """The documents are joined as the texts that they are: nothing is decoded on the way."""
    cursor = _cursor(sort, after) if after else None
    rest = orjson.dumps({"next_cursor": cursor, "total": total})[1:].decode()
    return Response(f'{{"data":[{",".join(docs)}],{rest}', media_type="application/json")


def _cursor(sort: str, place: Place) -> str:
    ranked = [] if place.rank is None else [place.rank]
    return base64.urlsafe_b64encode(orjson.dumps([sort, place.at, place.id, *ranked])).decode()


_Number = Annotated[int, Field(strict=True, ge=-LARGEST_ID, le=LARGEST_ID)]
_Name = Annotated[str, Field(pattern=r"^[^\x00]*$")]
_PLACES: dict[str, TypeAdapter[tuple[Any, ...]]] = {
    "number": TypeAdapter(tuple[str, _Number, _Number]),
    "ranked": TypeAdapter(tuple[str, _Number, _Number, str]),
    "time": TypeAdapter(tuple[str, Moment, _Number]),
    "name": TypeAdapter(tuple[str, _Name, _Number]),
}


def opened(cursor: str, listing: Listing, sort: str) -> Place:
    """Raises `Malformed` unless it is a cursor of this order."""
    by = sort.removeprefix("-")
    if len(cursor) > LONGEST_CURSOR:
        raise Malformed("the cursor is not one of ours", field="cursor")
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        for_sort, *place = _PLACES[_kind(listing, by)].validate_json(text)
    except (ValueError, binascii.Error):
        raise Malformed("the cursor is not one of ours", field="cursor") from None
    found = Place(*place)
    if for_sort != sort or (by in listing.ranked and found.rank not in listing.ranked[by]):
        raise Malformed("the cursor is of another list or order", field="cursor")
    return found


def _kind(listing: Listing, by: str) -> str:
    if by in listing.ranked:
        return "ranked"
    return "time" if by.endswith("_at") or by == "at" else "name" if by == "name" else "number"
