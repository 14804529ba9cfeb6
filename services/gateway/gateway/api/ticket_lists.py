"""Tickets in lists: filtered, searched, ordered, counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from deskwire.contracts.terms import Priority, Rating, Source, Status
from deskwire.contracts.tickets import Ticket
from deskwire.db import Database
from gateway.api import pages
from gateway.api.answers import as_seen
from gateway.api.auth import caller, router, scope
from gateway.api.fields import LARGEST_ID, Moment, one_line
from gateway.api.pages import Paging, Several
from gateway.api.services import services
from gateway.readmodel import lists, search
from gateway.readmodel.lists import TICKET_LIST, Filter, Place, among
from gateway.readmodel.lookups import lookup
from gateway.readmodel.search import BEST
from gateway.readmodel.terms import Search, parse

routes = router("/tickets", "tickets")

Sort = Literal[
    "number", "-number", "created_at", "-created_at", "updated_at", "-updated_at",
    "priority", "-priority", "status", "-status", "due_at", "-due_at",
]  # fmt: skip
RELEVANCE = "relevance"
Assigned = Annotated[
    pages.Id | None,
    BeforeValidator(lambda v: None if v == "none" else v),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "maximum": LARGEST_ID, "minimum": 1},
                {"const": "none", "type": "string"},
            ]
        }
    ),
]
Named = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]

COLUMNS = ("client_id", "assigned_to", "status", "priority", "source")
LOOKUPS = {
    "contact_id": "contact",
    "asset_id": "asset",
    "tag": "tag",
    "category": "category",
    "feedback": "feedback",
}


def _searchable(q: str) -> str:
    if parse(q) is None:
        raise ValueError("must have a word to look for")
    return q


class TicketSelection(pages.Parameters):
    """Which tickets, in which order."""

    sort: Sort | None = Field(
        None,
        description="`-` for descending. Unless given, the newest come first: by number, or by"
        " the time that has a bound. By `due_at` are only those that are due. With `q` it is by"
        " relevance: what is on the ticket before what"
        " is in its entries, whole words before beginnings, then the newest; in another order are"
        f" the best {BEST:,}.",
    )
    q: Annotated[str, AfterValidator(_searchable)] | None = Field(
        None,
        max_length=200,
        description='words, `"phrases"` and `-words`, in subject, visible entries, contact and'
        " number; the last word may be the beginning of one."
        f" Of what is found, {BEST:,} are counted",
    )
    status: Several[Status] | None = None
    priority: Several[Priority] | None = None
    contact_id: Several[pages.Id] | None = None
    assigned_to: Several[Assigned] | None = Field(None, description="ids of agents, or `none`")
    asset_id: Several[pages.Id] | None = None
    tag: Several[Named] | None = None
    category: Several[Named] | None = None
    source: Several[Source] | None = None
    feedback: Several[Rating] | None = Field(None, description="what the contact said of it")
    created_after: Moment | None = None
    created_before: Moment | None = None
    updated_after: Moment | None = None
    updated_before: Moment | None = None
    due_after: Moment | None = None
    due_before: Moment | None = None

    @property
    def order(self) -> Sort:
        """The one asked for, else one that the bounds of time are bounds of, too."""
        if self.sort is None and (self.created_after or self.created_before):
            return "-created_at"
        if self.sort is None and (self.updated_after or self.updated_before):
            return "-updated_at"
        if self.sort is None and (self.due_after or self.due_before):
            return "due_at"
        return self.sort or "-number"

    def filters(self, within: int | None) -> list[Filter]:
        """What narrows the list, besides the client of the caller's key."""
        found = [] if within is None else [Filter("client_id", "one", within)]
        given = {column: getattr(self, column, None) for column in COLUMNS}
        found += [among(column, values) for column, values in given.items() if values]
        for field, name in LOOKUPS.items():
            if values := getattr(self, field):
                found.append(Filter("lookups", "any of", [lookup(name, str(v)) for v in values]))
        bounds = [
            Filter("created_at", "after", self.created_after),
            Filter("created_at", "before", self.created_before),
            Filter("updated_at", "after", self.updated_after),
            Filter("updated_at", "before", self.updated_before),
            Filter("due_at", "after", self.due_after),
            Filter("due_at", "before", self.due_before),
        ]
        found += [bound for bound in bounds if bound.value is not None]
        return [*found, Filter("due_at", "some")] if self._is_due else found

    @property
    def _is_due(self) -> bool:
        """Whether tickets that are never due are left out."""
        ordered = self.order in ("due_at", "-due_at")
        return ordered or self.due_after is not None or self.due_before is not None


class OfClients(pages.Parameters):
    client_id: Several[pages.Id] | None = None


class TicketFilters(TicketSelection, Paging):
    """A page of one client's tickets."""


class TicketQuery(OfClients, TicketFilters):
    """A page of all tickets."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A list of tickets: by relevance when there is a ``search``, else by ``sort``."""

    sort: str
    filters: Sequence[Filter]
    within: int | None
    search: Search | None = None

    async def page(self, database: Database, limit: int, after: Place | None) -> lists.Page:
        if self.search is not None:
            return await search.page(
                database,
                self.search,
                self.filters,
                within=self.within,
                limit=limit,
                after=after,
            )
        by, descending = self.sort.removeprefix("-"), self.sort.startswith("-")
        query = lists.Query(by, limit, descending, after, self.filters)
        return await lists.page(database, TICKET_LIST, query)

    async def total(self, database: Database) -> int | None:
        if self.search is None:
            return await lists.total(database, TICKET_LIST, self.filters)
        found = await search.best(database, self.search, self.filters, within=self.within)
        return len(found) if len(found) <= BEST else None


async def asked(
    database: Database, query: TicketSelection, filters: Sequence[Filter], within: int | None
) -> Asked:
    """What the parameters ask for, within the client of the caller's key."""
    wanted = parse(query.q) if query.q else None
    if wanted is None or query.sort is None:
        return Asked(RELEVANCE if wanted else query.order, filters, within, wanted)
    ids = await search.best(database, wanted, filters, within=within)
    return Asked(query.sort, [*filters, Filter("id", "many", ids[:BEST])], within)


async def listed(request: Request, query: TicketFilters, filters: Sequence[Filter]) -> Response:
    """One page of tickets. A body over 64 KiB is only its beginning here."""
    database, within = services(request).lists, caller(request).within
    of = await asked(database, query, filters, within)
    after = pages.opened(query.cursor, TICKET_LIST, of.sort) if query.cursor else None
    found = await of.page(database, query.limit, after)
    total = await of.total(database) if query.total else None
    docs = await as_seen(request, [row["doc"] for row in found.rows])
    return pages.answer(docs, of.sort, found.next, total)


@routes.get("", response_model=pages.Page[Ticket])
@scope("tickets:read")
async def list_tickets(request: Request, query: Annotated[TicketQuery, Query()]) -> Response:
    """All tickets, a page at a time. A body over 64 KiB is only its beginning here."""
    return await listed(request, query, query.filters(caller(request).within))
