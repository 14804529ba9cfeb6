"""Keyset pages: one statement per shape of filters and order, compiled once."""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, get_args

import asyncpg
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY

from deskwire.contracts.terms import Priority, Status
from deskwire.db import Database, Statement, compiled
from gateway.readmodel.mails import MAILS_OF_TICKETS
from gateway.readmodel.tables.mails import deliveries, inbound
from gateway.readmodel.tables.records import records, setting_history
from gateway.readmodel.tables.requests import api_keys
from gateway.readmodel.tables.tickets import entries, history, tickets
from gateway.readmodel.tables.work import invoices, time_entries

COUNTED = 10_000
"""So many rows are counted; more are not, whatever the list."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "one": operator.eq,
    "not": operator.ne,
    "after": operator.gt,
    "before": operator.lt,
    "from": operator.ge,
}
Shape = Literal[
    "one", "many", "none", "some", "none or many", "after", "before", "from", "not", "any of",
    "words",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Listing:
    """A table that is paged, and what it can be ordered by; the id breaks ties.

    ``ranked`` are columns of few values, in their order: such a list is the lists of each value,
    one behind the other, each by number. ``covered``: what narrows it is in its indexes, so they
    are read for the page's ids before any row is.
    """

    table: FromClause
    sorts: Mapping[str, ColumnElement[Any]]
    ranked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    covered: bool = False


TICKET_LIST = Listing(
    tickets,
    {name: tickets.c[name] for name in ("number", "created_at", "updated_at", "due_at")},
    {"priority": get_args(Priority), "status": get_args(Status)},
    covered=True,
)
TIMELINE = Listing(entries, {"created_at": entries.c.created_at})
TIME_LIST = Listing(time_entries, {"started_at": time_entries.c.started_at})
HISTORY_LIST = Listing(history, {"id": history.c.id})
SETTING_HISTORY_LIST = Listing(setting_history, {"id": setting_history.c.id})
RECORD_LIST = Listing(records, {"id": records.c.id, "name": records.c.name})
INVOICE_LIST = Listing(invoices, {"number": invoices.c.number})
KEY_LIST = Listing(api_keys, {"id": api_keys.c.id})
DELIVERY_LIST = Listing(deliveries, {"id": deliveries.c.id})
INBOUND_LIST = Listing(inbound, {"seen_at": inbound.c.seen_at})
MAIL_LIST = Listing(MAILS_OF_TICKETS, {"at": MAILS_OF_TICKETS.c.at})


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one column. Its shape decides the statement, its value is a parameter."""

    column: str
    shape: Shape
    value: Any = None


OF_MAILS = Filter("channel", "one", "mail")
"""Deliveries that are none to webhooks."""


def among(column: str, values: Sequence[Any]) -> Filter:
    """One of the values; None among them stands for rows without any.

    A single value is an equality: only then can an index on (column, order) give the order too.
    """
    some = [value for value in values if value is not None]
    if len(some) < len(values):
        return Filter(column, "none or many", some) if some else Filter(column, "none")
    return Filter(column, "one", some[0]) if len(some) == 1 else Filter(column, "many", some)


class Place(NamedTuple):
    """The last row seen: its order value, its id, and the value of what its list is ranked by."""

    at: Any
    id: int
    rank: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is asked for."""

    sort: str
    limit: int
    descending: bool = False
    after: Place | None = None
    filters: Sequence[Filter] = field(default_factory=tuple)


class Page(NamedTuple):
    """Rows of doc, id, at and blob_id; ``next`` is the place behind which there are more."""

    rows: Sequence[Any]
    next: Place | None


async def page(database: Database, listing: Listing, query: Query) -> Page:
    found: list[tuple[str | None, asyncpg.Record]] = []
    for rank, part in _parts(listing, query):
        rows = await _rows(database, listing, replace(part, limit=query.limit + 1 - len(found)))
        found += [(rank, row) for row in rows]
        if len(found) > query.limit:
            break
    rows = [row for _, row in found[: query.limit]]
    if len(found) <= query.limit:
        return Page(rows, None)
    rank, last = found[query.limit - 1]
    return Page(rows, Place(last["at"], last["id"], rank))


def _parts(listing: Listing, query: Query) -> Iterator[tuple[str | None, Query]]:
    """The query itself, or one for each value of what its list is ranked by."""
    if query.sort not in listing.ranked:
        yield None, query
        return
    others = [f for f in query.filters if f.column != query.sort]
    after = query.after
    for value in _ranks(listing.ranked[query.sort], query):
        filters = [*others, Filter(query.sort, "one", value)]
        yield value, replace(query, sort="number", after=after, filters=filters)
        after = None


def _ranks(values: Sequence[str], query: Query) -> Sequence[str]:
    """Those that the filters let through, from that of the last row seen."""
    given = [
        f.value if f.shape == "many" else [f.value] for f in query.filters if f.column == query.sort
    ]
    ranks = [value for value in values if all(value in each for each in given)]
    if query.descending:
        ranks.reverse()
    if query.after is None:
        return ranks
    return ranks[ranks.index(query.after.rank) :] if query.after.rank in ranks else []


async def _rows(database: Database, listing: Listing, query: Query) -> list[asyncpg.Record]:
    statement = _page(
        listing,
        query.sort,
        shapes_of(query.filters),
        descending=query.descending,
        after=query.after is not None,
    )
    values = values_of(query.filters) | {"limit": query.limit}
    if query.after is not None:
        values |= {"after": query.after.at, "after_id": query.after.id}
    return await database.fetch(statement, **values)


async def total(database: Database, listing: Listing, filters: Sequence[Filter]) -> int | None:
    """How many rows there are; None when they are more than `COUNTED`."""
    values = values_of(filters) | {"limit": COUNTED + 1}
    count = await database.fetch_value(_total(listing, shapes_of(filters)), **values)
    return count if count <= COUNTED else None


Shapes = tuple[tuple[str, Shape], ...]


def shapes_of(filters: Sequence[Filter]) -> Shapes:
    return tuple((f.column, f.shape) for f in filters)


def values_of(filters: Sequence[Filter]) -> dict[str, Any]:
    return {f"v{place}": f.value for place, f in enumerate(filters)}


@lru_cache(maxsize=1024)
def _page(
    listing: Listing, sort: str, shapes: Shapes, *, descending: bool, after: bool
) -> Statement:
    table, by = listing.table, listing.sorts[sort]
    order = (by,) if by is table.c.id else (by, table.c.id)
    where = conditions(table, shapes)
    if after:
        bounds = (bindparam("after", type_=by.type), bindparam("after_id", type_=table.c.id.type))
        row, bound = tuple_(*order), tuple_(*bounds[-len(order) :])
        where.append(row < bound if descending else row > bound)
    ordered = [column.desc() if descending else column for column in order]
    if listing.covered and shapes:
        first = func.greatest(by) if _scattered(sort, shapes) else by
        ids = select(table.c.id).where(*where).limit(bindparam("limit"))
        ids = ids.order_by(first.desc() if descending else first, *ordered[1:])
        return compiled(_columns(table, by).where(table.c.id.in_(ids)).order_by(*ordered))
    return compiled(_columns(table, by).where(*where).order_by(*ordered).limit(bindparam("limit")))


def _scattered(sort: str, shapes: Shapes) -> bool:
    """Whether what is looked up may be all at the far end of the order, because of a bound of time.
    It is then sorted by an expression that no index has: the rows are found by the look-up."""
    elsewhere = any(shape in ("after", "before") and column != sort for column, shape in shapes)
    return elsewhere and any(shape == "any of" for _, shape in shapes)


def _columns(table: FromClause, by: ColumnElement[Any]) -> Select[Any]:
    blob = [table.c.blob_id] if "blob_id" in table.c else []
    return select(table.c.doc, table.c.id, by.label("at"), *blob)


@lru_cache(maxsize=1024)
def _total(listing: Listing, shapes: Shapes) -> Statement:
    one: ColumnElement[int] = literal_column("1")
    some = select(one).select_from(listing.table).where(*conditions(listing.table, shapes))
    return compiled(select(func.count()).select_from(some.limit(bindparam("limit")).subquery()))


def conditions(table: FromClause, shapes: Shapes) -> list[ColumnElement[bool]]:
    """With the values of `values_of`."""
    return [
        _condition(table.c[column], shape, f"v{place}")
        for place, (column, shape) in enumerate(shapes)
    ]


def _condition(column: ColumnElement[Any], shape: Shape, name: str) -> ColumnElement[bool]:
    if shape == "none":
        return column.is_(None)
    if shape == "some":
        return column.is_not(None)
    if shape == "any of":
        return column.bool_op("&&")(bindparam(name, type_=column.type))
    if shape == "words":
        return column.bool_op("@@")(cast(bindparam(name, type_=Text), TSQUERY))
    if shape in ("many", "none or many"):
        many = column == any_(bindparam(name, type_=ARRAY(column.type)))
        return many if shape == "many" else or_(column.is_(None), many)
    return _COMPARISONS[shape](column, bindparam(name, type_=column.type))
