"""Full-text search: what is on the ticket comes before what is in its entries, whole words come
before a last word that is only the beginning of one; among each the newest tickets come first.

So that a frequent word costs no more than the page that it is on, the newest thousand tickets are
looked through, then sixteen times as many, and so on: all in one statement, which ends when the
page is full. See `texts` for the marks by which the index knows these slices.
"""

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

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

_CAST = re.compile(r"(:v\d+)::([\w\[\]]+)")
_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_BLANKS = str.maketrans(dict.fromkeys(string.punctuation + "\0", " "))
_NAMED = PGDialect_psycopg2(paramstyle="named")  # type: ignore[no-untyped-call]  # as `db` does

_PREPARE = compiled(
    text("""
    SELECT (SELECT coalesce(max(id), 0) FROM tickets) AS newest,
           CAST(to_tsquery('deskwire', :whole) AS text) AS whole,
           CAST(to_tsquery('deskwire', :beginning) AS text) AS beginning,
           CAST(to_tsquery('deskwire', :without) AS text) AS without
    """)
)

# "+ 0": by way of the words alone, never along the tickets. The steps are taken in their order, and
# none that the page does not need; of the tickets of a step no more are looked at either.
_FIND = """
    SELECT step.tier, found.ticket_id FROM unnest(
        CAST(:tiers AS integer[]), CAST(:queries AS text[]), CAST(:others AS text[]),
        CAST(:lows AS bigint[]), CAST(:highs AS bigint[])) AS step (tier, query, other, low, high)
    CROSS JOIN LATERAL (
        SELECT ticket_id FROM (
            SELECT DISTINCT ticket_id FROM texts
            WHERE words @@ CAST(step.query AS tsquery)
              AND ticket_id + 0 >= step.low AND ticket_id + 0 < step.high
            ORDER BY ticket_id DESC OFFSET 0) AS matching
        WHERE (step.other = '' OR NOT EXISTS (
            SELECT FROM texts
            WHERE ticket_id = matching.ticket_id AND words @@ CAST(step.other AS tsquery)))
          {narrowed}
        ORDER BY ticket_id DESC LIMIT :limit) AS found
    LIMIT :limit
"""
_NARROWED = "AND EXISTS (SELECT FROM tickets WHERE tickets.id = matching.ticket_id AND {})"
_READ = """
    SELECT t.doc, t.id, found.tier AS at
    FROM ({}) AS found JOIN tickets t ON t.id = found.ticket_id ORDER BY found.tier, t.id DESC
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as `to_tsquery` reads it: with whole words; with the last one as the
    beginning of one, if it may be; and what a ticket must not have."""

    whole: str
    beginning: str
    without: str


class Step(NamedTuple):
    """Part of a search: what matches ``query`` on a ticket that has nothing of ``other``, of the
    tickets from ``low`` to before ``high``."""

    tier: int
    query: str
    other: str
    low: int
    high: int


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
    if beginning:
        beginning = " & ".join([*whole[:-1], beginning])
    return Search(" & ".join(whole), beginning, " | ".join(without))


def _beginning(term: str) -> str:
    """The term with its last word as the beginning of one; numbers are whole."""
    *before, last = term.split()
    if len(last) < SHORTEST_BEGINNING or last.isdigit():
        return ""
    return " <-> ".join([*(f"'{word}'" for word in before), f"'{last}':*"])


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
    steps = await _steps(database, search, filters, within, after)
    statement = _find(shapes_of(filters), docs=True)
    values = values_of(filters) | _columns(steps) | {"limit": limit + 1}
    rows = await database.fetch(statement, **values)
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, Place(rows[-1]["at"], rows[-1]["id"]))


async def best(
    database: Database, search: Search, filters: Sequence[Filter], *, within: int | None
) -> list[int]:
    """The ids of the best tickets; one more than `BEST` tells that there are more."""
    steps = await _steps(database, search, filters, within, None)
    statement = _find(shapes_of(filters), docs=False)
    values = values_of(filters) | _columns(steps) | {"limit": BEST + 1}
    return [row["ticket_id"] for row in await database.fetch(statement, **values)]


@lru_cache(maxsize=1024)
def _find(shapes: Shapes, *, docs: bool) -> Statement:
    narrowed = ""
    if shapes:
        where = str(and_(*conditions(TICKETS, shapes)).compile(dialect=_NAMED))
        narrowed = _NARROWED.format(_CAST.sub(r"CAST(\1 AS \2)", where))
    find = _FIND.format(narrowed=narrowed)
    return compiled(text(_READ.format(find) if docs else find))


def _columns(steps: Sequence[Step]) -> dict[str, list[Any]]:
    columns = zip(*steps, strict=True) if steps else [()] * len(Step._fields)
    names = ("tiers", "queries", "others", "lows", "highs")
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


async def _steps(
    database: Database,
    search: Search,
    filters: Sequence[Filter],
    within: int | None,
    after: Place | None,
) -> list[Step]:
    asked = await database.fetch_one(
        _PREPARE, whole=search.whole, beginning=search.beginning, without=search.without
    )
    if asked is None or not asked["whole"]:
        return []
    first, high = (after.at, after.id) if after else (0, asked["newest"] + 1)
    seen = _seen(filters, within)
    steps = []
    for tier, (query, other) in list(enumerate(_tiers(asked, seen)))[first:]:
        steps += [Step(tier, f"{query}{mark}", other, *ids) for mark, ids in _slices(high)]
        high = asked["newest"] + 1
    return steps


def _seen(filters: Sequence[Filter], within: int | None) -> str:
    """A mark of every text that may be seen, where the client is known."""
    if within is not None:
        return f" & '=client:{within}'"
    of = next((f.value for f in filters if (f.column, f.shape) == ("client_id", "one")), None)
    return f" & ('=client:{of}' | '=internal:{of}')" if of else ""


def _tiers(asked: asyncpg.Record, seen: str) -> Iterator[tuple[str, str]]:
    """What to look for, and what the ticket must not have."""
    without = [f"({asked['without']}){seen}"] if asked["without"] else []
    lacking = f" & !({asked['without']})" if asked["without"] else ""  # few are then looked at
    whole = f"({asked['whole']}){lacking}{seen}"
    beginning = f"({asked['beginning']}){lacking}{seen}"
    on_ticket = f"{whole} & '=ticket'"
    yield on_ticket, " | ".join(without)
    yield whole, " | ".join([on_ticket, *without])
    if asked["beginning"]:
        yield beginning, " | ".join([whole, *without])


def _slices(high: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """From the newest before ``high`` on, each a mark and the ids from where to before which."""
    for bits in SLICE_BITS:
        if not high:
            return
        last = (high - 1) >> bits
        low = max(last - 1, 0) << bits
        yield f" & ('={bits}:{last}' | '={bits}:{last - 1}')", (low, high)
        high = low
    if high:
        yield "", (0, high)
