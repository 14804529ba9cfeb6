"""Full-text search: what is on the ticket comes before what is in its entries, whole words come
before a last word that is only the beginning of one; among each the newest tickets come first.

So that a frequent word costs no more than the page that it is on, the newest thousand tickets are
looked through first; how many match among them tells how many of the older ones to look through
next. See `texts` for the marks by which the index knows these slices.
"""

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import asyncpg
from sqlalchemy import and_, text
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from deskwire.db import Database, Statement, compiled
from gateway.readmodel.lists import Filter, Page, Place, Shapes, conditions, shapes_of, values_of
from gateway.readmodel.tables import TICKETS
from gateway.readmodel.texts import SLICE_BITS

BEST = 1000
"""So many matches are counted, and put into another order than that of the search."""

SHORTEST_BEGINNING = 3

_PRESUMED = (0.001, 2, 0.001)
"""So many matches are presumed where none was found: on tickets, in entries, as beginnings. Of the
first the index's lists are short, of the last they are read whole: to look at all is cheap then."""

_CAST = re.compile(r"(:v\d+)::([\w\[\]]+)")
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_BLANKS = str.maketrans(dict.fromkeys(string.punctuation + "\0", " "))
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

# "+ 0": by way of the words alone, never along the tickets. What is on tickets and what is in
# entries have an index each.
_FIND = """
    SELECT CAST(:tier AS integer) AS at, ticket_id AS id FROM (
        SELECT DISTINCT ticket_id FROM texts
        WHERE {words} AND ticket_id + 0 >= :low AND ticket_id + 0 < :high
        ORDER BY ticket_id DESC OFFSET 0) AS matching
    WHERE (CAST(:other AS text) = '' OR NOT EXISTS (
        SELECT FROM texts
        WHERE ticket_id = matching.ticket_id AND words @@ CAST(CAST(:other AS text) AS tsquery)))
      {narrowed}
    ORDER BY ticket_id DESC LIMIT :limit
"""
_BY_INDEX = "words @@ CAST(CAST(:has{} AS text) AS tsquery)"
_ONE_BY_ONE = "ts_match_vq(words, CAST(CAST(:beginning AS text) AS tsquery))"
_NARROWED = "AND EXISTS (SELECT FROM tickets WHERE tickets.id = matching.ticket_id AND {})"
_READ = """
    SELECT t.doc, found.id, found.at FROM ({}) AS found JOIN tickets t ON t.id = found.id
    ORDER BY found.id DESC
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as `to_tsquery` reads it: with whole words; or with all ``others`` and
    the last one as the beginning of one, if it may be; and what a ticket must not have."""

    whole: str
    others: str
    beginning: str
    without: str


def parse(q: str) -> Search | None:
    """Words, "phrases", -words; None when nothing is looked for."""
    whole: list[str] = []
    without: list[str] = []
    beginning = ""
    for minus, phrase, word in _TERM.findall(q):
        term = " ".join((phrase or word).translate(_BLANKS).split())
        if any(letter.isalnum() for letter in term):
            (without if minus else whole).append(f"'{term}'")
            beginning = "" if minus or phrase else _beginning(term)
    if not whole:
        return None
    others = whole[:-1] if beginning else []
    return Search(" & ".join(whole), " & ".join(others), beginning, " | ".join(without))


def _beginning(term: str) -> str:
    """The term with its last word as the beginning of one; numbers are whole."""
    *before, last = term.split()
    if len(last) < SHORTEST_BEGINNING or last.isdigit():
        return ""
    return " <-> ".join([*(f"'{word}'" for word in before), f"'{last}':*"])


@dataclass(frozen=True, slots=True)
class Asked:
    """A search of the tickets that pass the filters. ``within`` is the only client whose tickets
    may be seen (None: all are). ``docs``: the tickets are wanted, else their ids alone."""

    database: Database
    search: Search
    filters: Sequence[Filter]
    within: int | None
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
    asked = Asked(database, search, filters, within, docs=True)
    rows = await _found(asked, limit + 1, after)
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, Place(rows[-1]["at"], rows[-1]["id"]))


async def best(
    database: Database, search: Search, filters: Sequence[Filter], *, within: int | None
) -> list[int]:
    """The ids of the best tickets; one more than `BEST` tells that there are more."""
    asked = Asked(database, search, filters, within, docs=False)
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


async def _in_tier(asked: Asked, tier: _Tier, below: int, limit: int) -> list[asyncpg.Record]:
    """The newest tickets with ids ``below``, slice by slice until there are enough."""
    given = values_of(asked.filters) | {"tier": tier.at, "other": tier.lacks}
    presumed = _PRESUMED[tier.at]
    found: list[asyncpg.Record] = []
    high, bits = below, _enough(1)
    while high and len(found) < limit:
        mark, low = _slice(high, bits)
        statement, words = _texts(asked, tier, mark, newest=high == below)
        values = given | words | {"low": low, "high": high, "limit": limit - len(found)}
        found += await asked.database.fetch(statement, **values)
        high = low
        bits = _enough((limit - len(found)) * (below - high) / (len(found) or presumed))
    return found


def _texts(
    asked: Asked, tier: _Tier, mark: str, *, newest: bool
) -> tuple[Statement, dict[str, str]]:
    """The index has to read all words that begin so, in all texts, before it finds the first: among
    the newest texts they are looked at one by one, where frequent ones are found."""
    one_by_one = bool(tier.beginning and mark and newest)
    words = [mark, *tier.has, "" if one_by_one else tier.beginning]
    has = [each for each in words if each]
    statement = _find(
        shapes_of(asked.filters),
        len(has),
        one_by_one=one_by_one,
        on_tickets=tier.at == 0,
        docs=asked.docs,
    )
    given = {f"has{n}": each for n, each in enumerate(has)}
    return statement, given | {"beginning": tier.beginning}


def _enough(tickets: float) -> int | None:
    """Of the slices the smallest with so many tickets; None: only all are enough."""
    return next((bits for bits in SLICE_BITS if 1 << bits >= tickets), None)


def _slice(high: int, bits: int | None) -> tuple[str, int]:
    """The newest tickets before ``high``: the mark of their texts, and the first id of them."""
    if bits is None or high <= 1 << bits:
        return "", 0
    last = (high - 1) >> bits
    return f"'={bits}:{last}' | '={bits}:{last - 1}'", (last - 1) << bits


@lru_cache(maxsize=1024)
def _find(shapes: Shapes, has: int, *, one_by_one: bool, on_tickets: bool, docs: bool) -> Statement:
    words = ["id < 0" if on_tickets else "id > 0", *(_BY_INDEX.format(n) for n in range(has))]
    words += [_ONE_BY_ONE] if one_by_one else []
    narrowed = ""
    if shapes:
        where = str(and_(*conditions(TICKETS, shapes)).compile(dialect=_NAMED))
        narrowed = _NARROWED.format(_CAST.sub(r"CAST(\1 AS \2)", where))
    find = _FIND.format(narrowed=narrowed, words=" AND ".join(words))
    return compiled(text(_READ.format(find) if docs else find))


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
