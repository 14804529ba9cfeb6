"""Lists: their query parameters, their opaque cursors, and the page as it goes out."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
import orjson
from fastapi import Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from gateway.api.answers import whole_docs
from gateway.api.errors import Malformed
from gateway.api.services import services
from gateway.readmodel import lists
from gateway.readmodel.lists import Filter, Listing, Query
from gateway.readmodel.reading import LARGEST_ID

Document = TypeVar("Document")
Value = TypeVar("Value")


class Page(BaseModel, Generic[Document]):
    """``next_cursor`` is null on the last page; ``total`` is there when asked for."""

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


class Paging(BaseModel):
    """Of every list. A parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=500, description="`next_cursor` of the page before")
    total: bool = Field(default=False, description="count all that the filters let through")


async def listed(
    request: Request, listing: Listing, paging: Paging, *, sort: str, filters: Sequence[Filter]
) -> Response:
    """One page; ``sort`` is a name the listing knows, with ``-`` before it for descending."""
    database = services(request).database
    by, descending = sort.removeprefix("-"), sort.startswith("-")
    after = _opened(paging.cursor, sort, is_time=by.endswith("_at")) if paging.cursor else None
    query = Query(by, paging.limit, descending=descending, after=after, filters=filters)
    rows = await lists.page(database, listing, query)
    more = len(rows) > paging.limit
    rows = rows[: paging.limit]
    count = await lists.total(database, listing, filters) if paging.total else None
    return _page(
        await _docs(request, listing, rows), _cursor(sort, rows[-1]) if more else None, count
    )


async def _docs(request: Request, listing: Listing, rows: Sequence[asyncpg.Record]) -> list[str]:
    """Large bodies are whole in a timeline, which nothing else shows, and beginnings in a list."""
    if listing is lists.TIMELINE:
        return await whole_docs(request, rows)
    return [row["doc"] for row in rows]


def _page(docs: Sequence[str], next_cursor: str | None, total: int | None) -> Response:
    """The documents are joined as the texts that they are: nothing is decoded on the way."""
    rest = orjson.dumps({"next_cursor": next_cursor, "total": total})[1:].decode()
    return Response(f'{{"data":[{",".join(docs)}],{rest}', media_type="application/json")


def _cursor(sort: str, row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([sort, row["at"], row["id"]])).decode()


_PLACE: TypeAdapter[tuple[str, int | AwareDatetime, int]] = TypeAdapter(
    tuple[
        str, Annotated[int, Field(strict=True)] | AwareDatetime, Annotated[int, Field(strict=True)]
    ]
)


def _opened(cursor: str, sort: str, *, is_time: bool) -> tuple[int | datetime, int]:
    try:
        text = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True)
        for_sort, at, row_id = _PLACE.validate_json(text)
    except (ValueError, binascii.Error):
        raise Malformed("the cursor is not one of ours", field="cursor") from None
    sound = isinstance(at, datetime) is is_time and (is_time or abs(at) <= LARGEST_ID)  # type: ignore[arg-type]
    if for_sort != sort or not sound or abs(row_id) > LARGEST_ID:
        raise Malformed("the cursor is of another list or order", field="cursor")
    return at, row_id
