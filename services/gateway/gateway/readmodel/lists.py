"""Keyset pages: one statement per shape of filters and order, compiled once."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

import asyncpg
from sqlalchemy import Column, ColumnElement, Table, any_, bindparam, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY

from deskwire.db import Database, Statement, compiled
from gateway.readmodel.tables import DELIVERIES, ENTRIES, HISTORY, RECORDS, TICKETS, TIME_ENTRIES

_COMPARISONS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "one": operator.eq,
    "not": operator.ne,
    "after": operator.gt,
    "before": operator.lt,
}
Shape = Literal["one", "many", "none", "none or many", "after", "before", "not"]


@dataclass(frozen=True, eq=False)
class Listing:
    """A table that is paged, and what it can be ordered by; the id breaks ties."""

    table: Table
    sorts: Mapping[str, Column[Any]]


TICKET_LIST = Listing(
    TICKETS, {name: TICKETS.c[name] for name in ("number", "created_at", "updated_at")}
)
TIMELINE = Listing(ENTRIES, {"created_at": ENTRIES.c.created_at})
TIME_LIST = Listing(TIME_ENTRIES, {"started_at": TIME_ENTRIES.c.started_at})
HISTORY_LIST = Listing(HISTORY, {"id": HISTORY.c.id})
RECORD_LIST = Listing(RECORDS, {"id": RECORDS.c.id})
DELIVERY_LIST = Listing(DELIVERIES, {"id": DELIVERIES.c.id})


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one column. Its shape decides the statement, its value is a parameter."""

    column: str
    shape: Shape
    value: Any = None


def among(column: str, values: Sequence[Any]) -> Filter:
    """One of the values; None among them stands for rows without any.

    A single value is an equality: only then can an index on (column, order) give the order too.
    """
    some = [value for value in values if value is not None]
    if len(some) < len(values):
        return Filter(column, "none or many", some) if some else Filter(column, "none")
    return Filter(column, "one", some[0]) if len(some) == 1 else Filter(column, "many", some)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for: ``after`` is the order value and the id of the last row seen."""

    sort: str
    limit: int
    descending: bool = False
    after: tuple[Any, int] | None = None
    filters: Sequence[Filter] = field(default_factory=tuple)


async def page(database: Database, listing: Listing, query: Query) -> list[asyncpg.Record]:
    """Rows of doc, id, at and blob_id; one more than ``limit`` tells of a next page."""
    shapes = tuple((f.column, f.shape) for f in query.filters)
    statement = _page(listing, query.sort, query.descending, query.after is not None, shapes)
    values = _values(query.filters) | {"limit": query.limit + 1}
    if query.after is not None:
        values |= {"after": query.after[0], "after_id": query.after[1]}
    return await database.fetch(statement, **values)


async def total(database: Database, listing: Listing, filters: Sequence[Filter]) -> int:
    statement = _total(listing, tuple((f.column, f.shape) for f in filters))
    return int(await database.fetch_value(statement, **_values(filters)))


def _values(filters: Sequence[Filter]) -> dict[str, Any]:
    return {f"v{place}": f.value for place, f in enumerate(filters)}


Shapes = tuple[tuple[str, Shape], ...]


@lru_cache(maxsize=1024)
def _page(listing: Listing, sort: str, descending: bool, after: bool, shapes: Shapes) -> Statement:  # noqa: FBT001
    columns, by = listing.table.c, listing.sorts[sort]
    blob = [columns.blob_id] if "blob_id" in columns else []
    rows = select(columns.doc, columns.id, by.label("at"), *blob).where(*_where(listing, shapes))
    order = (by,) if by is columns.id else (by, columns.id)
    if after:
        bounds = (bindparam("after", type_=by.type), bindparam("after_id", type_=columns.id.type))
        row, bound = tuple_(*order), tuple_(*bounds[-len(order) :])
        rows = rows.where(row < bound if descending else row > bound)
    ordered = rows.order_by(*(column.desc() if descending else column for column in order))
    return compiled(ordered.limit(bindparam("limit")))


@lru_cache(maxsize=1024)
def _total(listing: Listing, shapes: Shapes) -> Statement:
    count = select(func.count()).select_from(listing.table)
    return compiled(count.where(*_where(listing, shapes)))


def _where(listing: Listing, shapes: Shapes) -> list[ColumnElement[bool]]:
    return [
        _condition(listing.table.c[column], shape, f"v{place}")
        for place, (column, shape) in enumerate(shapes)
    ]


def _condition(column: Column[Any], shape: Shape, name: str) -> ColumnElement[bool]:
    if shape == "none":
        return column.is_(None)
    if shape in ("many", "none or many"):
        many = column == any_(bindparam(name, type_=ARRAY(column.type)))
        return many if shape == "many" else or_(column.is_(None), many)
    return _COMPARISONS[shape](column, bindparam(name, type_=column.type))
