"""Full-text search: what is on the ticket comes before what is in its entries, whole words come
before a last word that is only the beginning of one; among each the newest tickets come first.

So that a frequent word costs no more than the page that it is on, the newest thousand tickets are
looked through first; how many match among them tells how many of the older ones to look through
next. See `texts` for the marks by which the index knows these slices. When the newest do not fill
the page and the filters leave few tickets, these are looked through instead.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy import and_, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from deskwire.db import Database, Statement, compiled
from gateway.readmodel.lists import Filter, Page, Place, Shapes, conditions, shapes_of, values_of
from gateway.readmodel.narrowing import Narrowing
from gateway.readmodel.tables.tickets import tickets
from gateway.readmodel.terms import Search
from gateway.readmodel.texts import SLICE_BITS

BEST = 1000
"""So many matches are counted, and put into another order than that of the search."""

FIRST = 500
"""So many tickets that filters have left are looked through first."""

_PRESUMED = (0.001, 2, 0.001)
"""So many matches are presumed where none was found: on tickets, in entries, as beginnings. Of the
first the index's lists are short, of the last they are read whole: to look at all is cheap then."""

_CAST = re.compile(r"(:v\d+)::([\w\[\]]+)")
_NAMED = PGDialect_psycopg2(paramstyle="named")  # type: ignore[no-untyped-call]  # as `db` does

_PREPARE = compiled(
    text("""
    SELECT (SELECT coalesce(max(id), 0) FROM tickets) AS newest,
           CAST(to_tsquery('deskwire', :whole) AS text) AS whole,
           CAST(to_tsquery('deskwire', :others) AS text) AS others,
           CAST(to_tsquery('deskwire', :beginning) AS text) AS beginning,
           CAST(to_tsquery('deskwire', :without) AS text) AS without
    """)
)

# What is on tickets and what is in entries have an index each.
_FIND = """
    SELECT CAST(:tier AS integer) AS at, ticket_id AS id FROM (
        SELECT DISTINCT ticket_id FROM texts
        WHERE {words}
        ORDER BY ticket_id DESC OFFSET 0) AS matching
    WHERE (CAST(:other AS text) = '' OR NOT EXISTS (
        SELECT FROM texts
        WHERE ticket_id = matching.ticket_id AND words @@ CAST(CAST(:other AS text) AS tsquery)))
      {narrowed}
    ORDER BY ticket_id DESC LIMIT :limit
"""
# "+ 0": by way of the words alone, never along the tickets.
_BETWEEN = "ticket_id + 0 >= :low AND ticket_id + 0 < :high"
_AMONG = "ticket_id = ANY(CAST(:ids AS bigint[]))"
_BY_INDEX = "words @@ CAST(CAST(:has{} AS text) AS tsquery)"
_ONE_BY_ONE = "ts_match_vq(words, CAST(CAST(:beginning AS text) AS tsquery))"
_NARROWED = "AND EXISTS (SELECT FROM tickets WHERE tickets.id = matching.ticket_id AND {})"
_READ = """
    SELECT t.doc, found.id, found.at FROM ({}) AS found JOIN tickets t ON t.id = found.id
    ORDER BY found.id DESC
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A search of the tickets that pass the filters. ``within`` is the only client whose tickets
    may be seen (None: all are). ``docs``: the tickets are wanted, else their ids alone."""

    database: Database
    search: Search
    filters: Sequence[Filter]
    within: int | None
    narrowing: Narrowing
    docs: bool


async def page(
    database: Database,
    search: Search,
    filters: Sequence[Filter],
    *,
    within: int | None,
    limit: int,
    after: Place | None,
) -> Page:
    """The next best of the tickets. ``after`` has the tier in place of an order value."""
    asked = Asked(database, search, filters, within, Narrowing(database, filters), docs=True)
    rows = await _found(asked, limit + 1, after)
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, Place(rows[-1]["at"], rows[-1]["id"]))


async def best(
    database: Database, search: Search, filters: Sequence[Filter], *, within: int | None
) -> list[int]:
    """The ids of the best tickets; one more than `BEST` tells that there are more."""
    asked = Asked(database, search, filters, within, Narrowing(database, filters), docs=False)
    return [row["id"] for row in await _found(asked, BEST + 1, None)]


async def _found(asked: Asked, limit: int, after: Place | None) -> list[asyncpg.Record]:
    """Rows of id, at, and doc where it is wanted."""
    search = asked.search
    row = await asked.database.fetch_one(
        _PREPARE,
        whole=search.whole,
        others=search.others,
        beginning=search.beginning,
        without=search.without,
    )
    if row is None or not row["whole"]:
        return []
    high = row["newest"] + 1
    first, below = (after.at, after.id) if after else (0, high)
    found: list[asyncpg.Record] = []
    tiers = list(_tiers(row, _seen(asked.filters, asked.within)))
    for tier in tiers[first:]:
        found += await _in_tier(asked, tier, below, limit - len(found))
        if len(found) == limit:
            break
        below = high
    return found


@dataclass(frozen=True, slots=True)
class _Tier:
    """A text must have each of ``has`` and, if told, the ``beginning``; its ticket must not have
    ``lacks``.

    Each of ``has`` is a condition of its own: then the index skips to where all of them go on. What
    is one tsquery it reads from the first text to the last, of every word.
    """

    at: int
    has: Sequence[str]
    lacks: str
    beginning: str = ""


class _Slice(NamedTuple):
    """The tickets from one id to before another, and the mark that their texts have. Without one
    they are all that there are."""

    mark: str
    low: int
    high: int


async def _in_tier(asked: Asked, tier: _Tier, below: int, limit: int) -> list[asyncpg.Record]:
    """The newest tickets with ids ``below``, until there are enough."""
    newest, found = _Slice("", below, below), list[asyncpg.Record]()
    if not asked.narrowing.to_few:
        newest = _slice(below, 1)
        found = await _in_slice(asked, tier, newest, limit, newest=True)
    if len(found) == limit or not newest.low:
        return found
    left, lacking = await asked.narrowing.left(), limit - len(found)
    if left.few is not None:
        return found + await _among(
            asked, tier, [id for id in left.few if id < newest.low], lacking
        )
    if left.end is not None and left.end < newest.low:
        newest = _Slice("", left.end, left.end)
    return found + await _older(asked, tier, newest, len(found), left.first, lacking)


async def _older(
    asked: Asked, tier: _Tier, newest: _Slice, hits: int, first: int, limit: int
) -> list[asyncpg.Record]:
    """Slice by slice, each as large as is enough if there are as many hits as so far: in ``newest``
    were so many. None has an id before the ``first``."""
    found: list[asyncpg.Record] = []
    high, presumed = newest.low, _PRESUMED[tier.at]
    while high > first and len(found) < limit:
        seen, lacking = newest.high - high, limit - len(found)
        of = _slice(high, lacking * seen / (hits + len(found) or presumed))
        found += await _in_slice(asked, tier, of, lacking, newest=not seen)
        high = of.low
    return found


def _slice(high: int, tickets: float) -> _Slice:
    """The newest tickets before ``high``, so many or somewhat more."""
    bits = next((bits for bits in SLICE_BITS if 1 << bits >= tickets), None)
    if bits is None or high <= 1 << bits:
        return _Slice("", 0, high)
    last = (high - 1) >> bits
    return _Slice(f"'={bits}:{last}' | '={bits}:{last - 1}'", (last - 1) << bits, high)


async def _in_slice(
    asked: Asked, tier: _Tier, of: _Slice, limit: int, *, newest: bool
) -> list[asyncpg.Record]:
    """The index has to read all words that begin so, in all texts, before it finds the first: among
    the newest texts they are looked at one by one, where frequent ones are found."""
    one_by_one = bool(tier.beginning and of.mark and newest)
    words = [of.mark, *tier.has, "" if one_by_one else tier.beginning]
    values = values_of(asked.filters) | {"low": of.low, "high": of.high, "limit": limit}
    find = _Find(_BETWEEN, shapes_of(asked.filters), one_by_one)
    return await _ask(asked, tier, find, words, values)


async def _among(asked: Asked, tier: _Tier, ids: Sequence[int], limit: int) -> list[asyncpg.Record]:
    """Of these tickets, which pass the filters, the newest first: what is frequent is among the
    first few, what is rare PostgreSQL rather finds by the words."""
    found: list[asyncpg.Record] = []
    for part, newest in ((ids[:FIRST], True), (ids[FIRST:], False)):
        if part and len(found) < limit:
            find = _Find(_AMONG, (), one_by_one=newest and bool(tier.beginning))
            words = [*tier.has, "" if find.one_by_one else tier.beginning]
            values = {"ids": part, "limit": limit - len(found)}
            found += await _ask(asked, tier, find, words, values)
    return found


class _Find(NamedTuple):
    """Where is looked, past which filters, and whether texts are looked at one by one for how
    their words begin."""

    where: str
    shapes: Shapes
    one_by_one: bool


async def _ask(
    asked: Asked, tier: _Tier, find: _Find, words: Sequence[str], values: Mapping[str, Any]
) -> list[asyncpg.Record]:
    has = {f"has{n}": each for n, each in enumerate(filter(None, words))}
    statement = _statement(find, len(has), on_tickets=tier.at == 0, docs=asked.docs)
    given = {"tier": tier.at, "other": tier.lacks, "beginning": tier.beginning}
    return await asked.database.fetch(statement, **given, **has, **values)


@lru_cache(maxsize=1024)
def _statement(find: _Find, has: int, *, on_tickets: bool, docs: bool) -> Statement:
    words = ["id < 0" if on_tickets else "id > 0", *(_BY_INDEX.format(n) for n in range(has))]
    words += [_ONE_BY_ONE] if find.one_by_one else []
    narrowed = ""
    if find.shapes:
        where = str(and_(*conditions(tickets, find.shapes)).compile(dialect=_NAMED))
        narrowed = _NARROWED.format(_CAST.sub(r"CAST(\1 AS \2)", where))
    some = _FIND.format(narrowed=narrowed, words=" AND ".join([find.where, *words]))
    return compiled(text(_READ.format(some) if docs else some))


def _seen(filters: Sequence[Filter], within: int | None) -> str:
    """A mark of every text that may be seen, where the client is known."""
    if within is not None:
        return f"'=client:{within}'"
    of = next((f.value for f in filters if (f.column, f.shape) == ("client_id", "one")), None)
    return f"'=client:{of}' | '=internal:{of}'" if of else ""


def _tiers(asked: asyncpg.Record, seen: str) -> Iterator[_Tier]:
    whole, beginning, without = asked["whole"], asked["beginning"], asked["without"]
    lacking = f" & !({without})" if without else ""  # few are then looked at
    here = f" & ({seen})" if seen else ""
    lacks = [f"({without}){here}"] if without else []
    on_ticket = f"({whole}){here} & '=ticket'"
    yield _Tier(0, (seen, f"({whole}){lacking}"), " | ".join(lacks))
    yield _Tier(1, (seen, f"({whole}){lacking}"), " | ".join([on_ticket, *lacks]))
    if beginning:
        lacks.append(f"({whole}){here}")
        yield _Tier(2, (seen, asked["others"]), " | ".join(lacks), f"({beginning}){lacking}")
