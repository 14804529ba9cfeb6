"""Rows as PHP writes them: every value a text or null, perhaps with a number before each name."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

import orjson

from gateway.api.itflow import php

IN_THREAD = 100
"""More rows than this are written in a thread: the others need not wait for it."""

Document = Mapping[str, Any]
Column = Callable[[Any], str | None]
Columns = Mapping[str, Column]


class Table:
    """The columns of a module's rows, in their order."""

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self._named = _template(columns, positional=False)
        self._positional = _template(columns, positional=True)

    async def data(self, docs: Sequence[str], *, positional: bool) -> str:
        """The rows of documents, with commas between; the slashes are not escaped yet."""
        if len(docs) > IN_THREAD:
            return await asyncio.to_thread(self._data, docs, positional=positional)
        return self._data(docs, positional=positional)

    def _data(self, docs: Sequence[str], *, positional: bool) -> str:
        row = self._positional if positional else self._named
        return ",".join(row.format(*self._values(orjson.loads(doc))) for doc in docs)

    def _values(self, document: Document) -> Iterator[str]:
        for value_of in self.columns.values():
            value = value_of(document)
            yield "null" if value is None else encode_basestring_ascii(value)


def _template(names: Iterable[str], *, positional: bool) -> str:
    """A row for `str.format`; the positional keys are before the names."""
    pairs = []
    for place, name in enumerate(names):
        numbered = [f'"{place}":{{{place}}}'] if positional else []
        pairs += [*numbered, f'"{name}":{{{place}}}']
    return "{{" + ",".join(pairs) + "}}"


def null(_document: Document) -> None:
    """What we do not keep, where ITFlow has NULL."""


def zero(_document: Document) -> str:
    """What we do not keep, where ITFlow has the id of none."""
    return "0"


def id_of(thing: Document | None) -> str:
    return str(thing["id"]) if thing else "0"


def told(field: str) -> Column:
    """A value as a text, or NULL."""
    return lambda document: None if (value := document.get(field)) is None else str(value)


def filled(field: str, empty: str = "") -> Column:
    """A value where ITFlow has no NULL."""
    return lambda document: str(document.get(field) or empty)


def flag(field: str) -> Column:
    return lambda document: "1" if document.get(field) else "0"


def at(field: str) -> Column:
    return lambda document: php.time(document.get(field))


def updated(document: Document) -> str | None:
    """NULL until the first change."""
    changed = document.get("updated_at")
    return None if changed == document["created_at"] else php.time(changed)


def timestamps(prefix: str) -> Columns:
    return {
        f"{prefix}_created_at": at("created_at"),
        f"{prefix}_updated_at": updated,
        f"{prefix}_archived_at": at("archived_at"),
        f"{prefix}_accessed_at": null,
    }
