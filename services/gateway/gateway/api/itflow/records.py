"""Reading what is kept as records: one by its id, those with a value, or a list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response

from deskwire.errors import NotFound
from gateway.api.itflow import answers, php
from gateway.api.itflow.call import Call
from gateway.api.itflow.rows import Table
from gateway.readmodel import offsets, reading
from gateway.readmodel.lookups import lookup

CLIENT = "client_id"


@dataclass(frozen=True)
class Reader:
    """``by`` are the parameters that are looked at, the first one that was given decides alone:
    each with the field of the look-up, or `CLIENT` for what is a filter alone."""

    kind: str
    table: Table
    by: Mapping[str, str]
    archived: bool = True

    async def __call__(self, call: Call) -> Response:
        found = await self._found(call)
        if not found:
            raise NotFound
        return await answers.rows(call, self.table, [row["doc"] for row in found])

    async def _found(self, call: Call) -> Sequence[Any]:
        database = call.services.database
        by_id = call.given(f"{self.kind}_id")
        if by_id is not None:
            row = await reading.record(database, self.kind, php.integer(by_id), call.within)
            shown = row is not None and (self.archived or not row["archived"])
            return [row] if shown else []
        if call.page is None:
            return []
        offset, limit = call.page
        wanted = offsets.Records(self.kind, self.archived, call.within, offset, limit)
        name = next((name for name in self.by if call.given(name) is not None), CLIENT)
        if self.by.get(name, CLIENT) == CLIENT:
            return await offsets.records(database, wanted)
        value = lookup(self.by[name], php.text(call.given(name)))
        return await offsets.records_by_lookup(database, value, wanted)
