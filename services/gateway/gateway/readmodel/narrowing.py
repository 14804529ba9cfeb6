"""What filters leave of the tickets for a search: few of them, or those between two ids."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, select, text

from deskwire.db import Database, Statement, compiled
from gateway.readmodel.lists import Filter, Shapes, conditions, shapes_of, values_of
from gateway.readmodel.tables.tickets import tickets

FEW = 5_000
"""So many tickets are rather looked through than found by a frequent word."""

OUT_OF_ORDER = 1_000
"""Who is created later has the higher id, but for those that are created at the same time."""

_OLDEST = compiled(
    text("SELECT id FROM tickets WHERE created_at > :at ORDER BY created_at, id LIMIT 1")
)
_NEWEST = compiled(
    text("SELECT id FROM tickets WHERE created_at < :at ORDER BY created_at DESC, id DESC LIMIT 1")
)


@dataclass(frozen=True, slots=True)
class Left:
    """``few``: the ids, the newest first; None when they are more. All are ``first`` or later, and
    before ``end`` (None: it is not known)."""

    few: Sequence[int] | None = None
    first: int = 0
    end: int | None = None


@dataclass(slots=True)
class Narrowing:
    """Asks once, and only if it has to."""

    database: Database
    filters: Sequence[Filter]
    _left: Left | None = field(default=None, init=False)

    @property
    def to_few(self) -> bool:
        """So far as it was asked."""
        return self._left is not None and self._left.few is not None

    async def left(self) -> Left:
        if self._left is None:
            self._left = await self._look()
        return self._left

    async def _look(self) -> Left:
        if all((each.column, each.shape) == ("client_id", "one") for each in self.filters):
            return Left()  # texts have a mark of their client
        values = values_of(self.filters)
        rows = await self.database.fetch(_ids(shapes_of(self.filters)), **values, limit=FEW + 1)
        if len(rows) <= FEW:
            return Left(sorted((row["id"] for row in rows), reverse=True))
        after = self._bounds("after", "created_at")
        before = self._bounds("before", "created_at", "updated_at")  # and created before that
        first = await self._id(_OLDEST, max(after)) - OUT_OF_ORDER if after else 0
        end = await self._id(_NEWEST, min(before)) + OUT_OF_ORDER if before else None
        return Left(None, first, end)

    def _bounds(self, shape: str, *columns: str) -> list[datetime]:
        given = (each for each in self.filters if each.shape == shape)
        return [each.value for each in given if each.column in columns]

    async def _id(self, statement: Statement, at: datetime) -> int:
        return await self.database.fetch_value(statement, at=at) or 0


@lru_cache(maxsize=256)
def _ids(shapes: Shapes) -> Statement:
    where = conditions(tickets, shapes)
    return compiled(select(tickets.c.id).where(*where).limit(bindparam("limit")))
