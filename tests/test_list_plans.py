"""Lists of tickets stay cheap however many there are: what PostgreSQL does for every filter, every
two of them, and every order, on 20,000 tickets."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

import asyncpg
from sqlalchemy import select

from bench.data import END, Helpdesk, fill
from deskwire import db
from deskwire.db import Database, Statement, compiled
from deskwire.testing import FreshDatabase
from gateway.readmodel import search
from gateway.readmodel.lists import (
    TICKET_LIST,
    Filter,
    Place,
    Query,
    _page,
    _total,
    conditions,
    shapes_of,
    values_of,
)
from gateway.readmodel.tables.tickets import tickets as table
from gateway.readmodel.terms import Search, parse

TICKETS = 20_000
LIMIT = 51
SEARCHED = 6_000

FILTERS = {
    "open": Filter("status", "one", "open"),
    "active": Filter("status", "many", ["open", "working", "hold"]),
    "closed": Filter("status", "one", "closed"),
    "low": Filter("priority", "one", "low"),
    "high": Filter("priority", "one", "high"),
    "low or high": Filter("priority", "many", ["low", "high"]),
    "email": Filter("source", "one", "email"),
    "no source": Filter("source", "one", "portal"),
    "large client": Filter("client_id", "one", 1),
    "small client": Filter("client_id", "one", 200),
    "clients": Filter("client_id", "many", [7, 210]),
    "busy agent": Filter("assigned_to", "one", 1),
    "new agent": Filter("assigned_to", "one", 99),
    "nobody": Filter("assigned_to", "none"),
    "agent or nobody": Filter("assigned_to", "none or many", [25]),
    "contact": Filter("lookups", "any of", ["contact:9"]),
    "frequent tag": Filter("lookups", "any of", ["tag:tag0"]),
    "rare tag": Filter("lookups", "any of", ["tag:tag59"]),
    "asset": Filter("lookups", "any of", ["asset:5"]),
    "category": Filter("lookups", "any of", ["category:hardware"]),
    "created after": Filter("created_at", "after", END - timedelta(days=30)),
    "created before": Filter("created_at", "before", END - timedelta(days=1500)),
    "updated after": Filter("updated_at", "after", END - timedelta(days=2)),
    "updated before": Filter("updated_at", "before", END - timedelta(days=1000)),
}
MANY = {
    "most are older": Filter("created_at", "before", END - timedelta(days=400)),
    "most are untouched": Filter("updated_at", "before", END - timedelta(days=400)),
    "half are younger": Filter("created_at", "after", END - timedelta(days=900)),
}


@dataclass(frozen=True)
class Plan:
    """What one statement did: rows read from the table, entries read from indexes alone, and the
    largest set that was sorted."""

    nodes: Sequence[Mapping[str, Any]]

    @property
    def scanned(self) -> set[str]:
        return {n["Relation Name"] for n in self.nodes if n["Node Type"] == "Seq Scan"}

    @property
    def rows(self) -> int:
        return sum(map(_read, self._of("Index Scan", "Bitmap Heap Scan", "Seq Scan")))

    @property
    def entries(self) -> int:
        return sum(map(_read, self._of("Index Only Scan")))

    @property
    def sorted(self) -> int:
        sorts = self._of("Sort", "Incremental Sort")
        return max((each["Plans"][0]["Actual Rows"] for each in sorts), default=0)

    @property
    def looked_up(self) -> str:
        """What indexes were asked for."""
        return "; ".join(node.get("Index Cond", "") for node in self.nodes)

    def _of(self, *types: str) -> Iterator[Mapping[str, Any]]:
        return (node for node in self.nodes if node["Node Type"] in types)


def _read(node: Mapping[str, Any]) -> int:
    of_each = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return int(of_each * node["Actual Loops"])


def _walk(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for each in node.get("Plans", ()):
        yield from _walk(each)


async def plan(database: Database, statement: Statement, values: Mapping[str, Any]) -> Plan:
    explain = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement.sql}"
    told = await database.pool.fetchval(explain, *statement.arguments(dict(values)))
    return Plan(list(_walk(json.loads(told)[0]["Plan"])))


async def test_lists_and_searches_stay_bounded(fresh_database: FreshDatabase) -> None:
    url = fresh_database("gateway")
    await fill(url, TICKETS, entries_each=1)
    async with db.connect(url, size=1, plan_values=True) as database:
        counts = {name: await count(database, [each]) for name, each in FILTERS.items()}
        assert counts["closed"] > 10 * counts["active"] > 0
        assert counts["no source"] == counts["new agent"] == 0
        assert [bad async for bad in offending(database, counts)] == []
        assert [bad async for bad in offending_pages(database)] == []
    async with db.connect(url, size=1) as database:
        assert [bad async for bad in offending_searches(database)] == []
        assert [bad async for bad in offending_narrow_searches(database)] == []
        assert [bad async for bad in wrong_searches(database)] == []


async def offending(database: Database, counts: Mapping[str, int]) -> AsyncIterator[object]:
    """Rows of the table are read as many as the page needs by the best way: along the order until
    it is full, or all that have the rarest of what is asked for. Beside that at most an index."""
    for names in [(), *((name,) for name in FILTERS), *combinations(FILTERS, 2)]:
        filters = [FILTERS[name] for name in names]
        matches = await count(database, filters)
        rarest = min((counts[name] for name in names), default=TICKETS)
        for sort in ("number", "created_at", "updated_at"):
            along = rarest if clustered(filters, sort) else TICKETS * LIMIT / max(matches, 1)
            allowed = 6 * min(rarest, along) + 10 * LIMIT
            for descending in (False, True):
                query = Query(sort, LIMIT, descending, None, filters)
                did = await plan(database, *asked(query))
                if did.scanned or max(did.rows, did.sorted) > allowed or did.entries > TICKETS:
                    yield names, sort, descending, matches, allowed, did


def clustered(filters: Sequence[Filter], sort: str) -> bool:
    """Whether what matches may be all together at one end of the order."""
    return any(each.shape in ("after", "before") and each.column != sort for each in filters)


async def offending_pages(database: Database) -> AsyncIterator[object]:
    """A page in the middle costs no more than the first."""
    middle: dict[str, object] = {"number": TICKETS // 2}
    middle |= dict.fromkeys(("created_at", "updated_at"), END - timedelta(days=900))
    for filters in [[], [FILTERS["large client"]], [FILTERS["closed"]]]:
        for sort, at in middle.items():
            for descending in (False, True):
                query = Query(sort, LIMIT, descending, Place(at, TICKETS // 2), filters)
                did = await plan(database, *asked(query))
                if did.scanned or did.sorted > LIMIT or did.rows + did.entries > 10 * LIMIT:
                    yield filters, sort, descending, did


def asked(query: Query) -> tuple[Statement, dict[str, Any]]:
    values = values_of(query.filters) | {"limit": query.limit}
    if query.after is not None:
        values |= {"after": query.after.at, "after_id": query.after.id}
    statement = _page(
        TICKET_LIST,
        query.sort,
        shapes_of(query.filters),
        descending=query.descending,
        after=query.after is not None,
    )
    return statement, values


async def count(database: Database, filters: Sequence[Filter]) -> int:
    values = values_of(filters) | {"limit": TICKETS}
    return int(await database.fetch_value(_total(TICKET_LIST, shapes_of(filters)), **values))


async def offending_searches(database: Database) -> AsyncIterator[object]:
    """However frequent a word is, few texts are read for a page with it, and the index only where
    they may be: a slice is a condition of its own, and a frequent beginning is none."""
    words = Helpdesk(TICKETS, 0).words.values
    looked_for = [words[0], f"{words[0]} {words[1]}", words[20], words[200], words[2000], "nowhere"]
    looked_for += [f"{words[0]} -{words[30]}", f"{words[0][:3]}", f'"{words[0]} {words[1]}"']
    for q in looked_for:
        for filters, within in (([], None), ([Filter("client_id", "one", 5)], 5)):
            wanted = parse(q)
            assert wanted is not None
            watched = Watched(database.pool)
            await search.page(watched, wanted, filters, within=within, limit=LIMIT - 1, after=None)
            rows = sum(did.rows for did in watched.plans)
            looked_up = "; ".join(did.looked_up for did in watched.plans)
            whole_lists = "& ( ''=" in looked_up or (":*" in looked_up and q == words[0][:3])
            if rows > SEARCHED or whole_lists or any(did.scanned for did in watched.plans):
                yield q, within, watched.plans


async def offending_narrow_searches(database: Database) -> AsyncIterator[object]:
    """A frequent word on few tickets, or on old ones, is not looked for on all the others."""
    words = Helpdesk(TICKETS, 0).words.values
    few = ("no source", "new agent", "rare tag", "asset", "contact", "created before")
    for name, narrow in [*((name, FILTERS[name]) for name in few), *MANY.items()]:
        for q in (words[0], words[20], words[0][:3], f'"{words[0]} {words[20]}"'):
            wanted, watched = parse(q), Watched(database.pool)
            assert wanted is not None
            filters = [narrow]
            await search.page(watched, wanted, filters, within=None, limit=LIMIT - 1, after=None)
            rows = sum(did.rows for did in watched.plans)
            if rows > 2 * SEARCHED:
                yield name, q, rows, watched.plans


MATCHING = """
    SELECT DISTINCT ticket_id FROM texts x
    WHERE (words @@ to_tsquery('deskwire', $1)
           OR $2 <> '' AND words @@ to_tsquery('deskwire', concat_ws(' & ', nullif($3, ''), $2)))
      AND NOT EXISTS (SELECT FROM texts o WHERE o.ticket_id = x.ticket_id
                        AND o.words @@ to_tsquery('deskwire', $4))
"""


async def wrong_searches(database: Database) -> AsyncIterator[object]:
    """All pages have together what one look at everything finds, and nothing twice."""
    words = Helpdesk(TICKETS, 0).words.values
    looked_for = [words[30], f"{words[3]} {words[90]}", words[1][:3], f"{words[9]} -{words[2]}"]
    looked_for += [f'"{words[0]} {words[7]}"', words[9000]]
    names = ("large client", "contact", "created before", "updated after", "new agent", "high")
    for filters in ([], *([FILTERS[name]] for name in names), *([each] for each in MANY.values())):
        passing = set(await ids(database, filters))
        for q in looked_for:
            wanted = parse(q)
            assert wanted is not None
            told = (wanted.whole, wanted.beginning, wanted.others, wanted.without)
            rows = await database.pool.fetch(MATCHING, *told)
            found = [id async for id in all_found(database, wanted, filters)]
            if sorted(found) != sorted(passing & {row["ticket_id"] for row in rows}):
                yield q, filters, len(found)


async def ids(database: Database, filters: Sequence[Filter]) -> list[int]:
    statement = compiled(select(table.c.id).where(*conditions(table, shapes_of(filters))))
    return [row["id"] for row in await database.fetch(statement, **values_of(filters))]


async def all_found(
    database: Database, wanted: Search, filters: Sequence[Filter]
) -> AsyncIterator[int]:
    after = None
    while True:
        page = await search.page(database, wanted, filters, within=None, limit=200, after=after)
        for row in page.rows:
            yield row["id"]
        if (after := page.next) is None:
            return


class Watched(Database):
    """Remembers what its statements did."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        super().__init__(pool)
        self.plans: list[Plan] = []

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        self.plans.append(await plan(self, statement, values))
        return await super().fetch(statement, **values)
