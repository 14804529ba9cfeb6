"""Single documents. Whatever is read for a caller is read within the client of the caller's key."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import orjson
from sqlalchemy import text

from deskwire.contracts.entries import StoredFile
from deskwire.db import Database, compiled

_DIGITS = re.compile(r"[0-9]{1,18}\Z")

_TICKETS = compiled(
    text("""
    SELECT id, client_id, version, blob_id, doc FROM tickets
    WHERE id = ANY(CAST(:ids AS bigint[]))
    """)
)

# By the index of numbers: a reference ends in one.
_TICKET_BY_REFERENCE = compiled(
    text("""
    SELECT version, blob_id, doc FROM tickets
    WHERE number = ANY(CAST(:numbers AS bigint[]))
      AND lower(:reference) IN (lower(reference), CAST(number AS text))
      AND (CAST(:within AS bigint) IS NULL OR client_id = :within)
    ORDER BY id DESC LIMIT 1
    """)
)

_ENTRY = compiled(
    text("""
    SELECT version, blob_id, doc FROM entries
    WHERE id = :id AND ticket_id = :ticket_id AND (:internal OR kind <> 'internal')
    """)
)

_RECORD = compiled(
    text("""
    SELECT version, archived, doc FROM records
    WHERE kind = :kind AND id = :id
      AND (CAST(:within AS bigint) IS NULL OR client_id = :within)
    """)
)


_FILES = compiled(
    text("""
    SELECT e.files FROM entries e JOIN tickets t ON t.id = e.ticket_id
    WHERE e.files @> jsonb_build_array(jsonb_build_object('id', CAST(:id AS bigint)))
      AND (:internal OR e.kind <> 'internal')
      AND (CAST(:within AS bigint) IS NULL OR t.client_id = :within)
    """)
)

_CLIENT_SETTINGS = compiled(
    text("""
    SELECT s.version + coalesce(o.version, 0) AS version, s.doc AS settings, o.doc AS overrides
    FROM records c JOIN records s ON s.kind = 'settings'
    LEFT JOIN records o ON o.kind = 'client_settings' AND o.id = c.id
    WHERE c.kind = 'client' AND c.id = :id
      AND (CAST(:within AS bigint) IS NULL OR c.id = :within)
    """)
)


_COMPLETE = compiled(
    text("""
    SELECT coalesce(bool_and(CAST(CAST(t.doc AS json) ->> 'entry_count' AS bigint)
                    <= (SELECT count(*) FROM entries e WHERE e.ticket_id = t.id)), true)
    FROM tickets t WHERE t.id = ANY(CAST(:ids AS bigint[]))
    """)
)

LONGEST_WAIT = 1.0


class TicketLoader:
    """One SELECT per turn of the event loop, for all the tickets that are waited for."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[int, asyncio.Future[asyncpg.Record | None]]] = []
        self._reading: set[asyncio.Task[None]] = set()

    async def get(self, id: int, within: int | None) -> asyncpg.Record | None:
        """The ticket's row, or None when there is none within the client."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._read)
        found: asyncio.Future[asyncpg.Record | None] = loop.create_future()
        self._waiting.append((id, found))
        row = await found
        if row is None or (within is not None and row["client_id"] != within):
            return None
        return row

    def _read(self) -> None:
        waiting, self._waiting = self._waiting, []
        task = asyncio.create_task(self._answer(waiting))
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    async def _answer(
        self, waiting: Sequence[tuple[int, asyncio.Future[asyncpg.Record | None]]]
    ) -> None:
        try:
            rows = await self._database.fetch(_TICKETS, ids=[id for id, _ in waiting])
        except Exception as error:
            for _, found in waiting:
                if not found.done():
                    found.set_exception(error)
            return
        by_id = {row["id"]: row for row in rows}
        for id, found in waiting:
            if not found.done():
                found.set_result(by_id.get(id))


async def ticket_by_reference(
    database: Database, reference: str, within: int | None
) -> asyncpg.Record | None:
    """``tck-12`` and ``12`` are TCK-12, too."""
    digits = _DIGITS.search(reference)
    if digits is None:
        return None
    # where a prefix ends and the number begins is not known
    numbers = [int(digits[0][cut:]) for cut in range(len(digits[0]))]
    return await database.fetch_one(
        _TICKET_BY_REFERENCE, numbers=numbers, reference=reference, within=within
    )


async def wait_for_entries(database: Database, *ids: int) -> None:
    """Until the tickets show as many as they say: those that a merge moves are told one by one,
    after it. Not for ever: the projector may have more to do."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_WAIT):
            while not await database.fetch_value(_COMPLETE, ids=ids):
                await asyncio.sleep(0.02)


async def entry(
    database: Database, id: int, ticket_id: int, *, internal: bool
) -> asyncpg.Record | None:
    """``internal``: whether an internal entry may be seen. The ticket is checked by the caller."""
    return await database.fetch_one(_ENTRY, id=id, ticket_id=ticket_id, internal=internal)


async def record(
    database: Database, kind: str, id: int, within: int | None
) -> asyncpg.Record | None:
    return await database.fetch_one(_RECORD, kind=kind, id=id, within=within)


async def file(
    database: Database, id: int, within: int | None, *, internal: bool
) -> StoredFile | None:
    """What is shown on a ticket within the client; ``internal``: also by an internal entry."""
    stored = await database.fetch_value(_FILES, id=id, within=within, internal=internal)
    files = [StoredFile.model_validate(each) for each in orjson.loads(stored or "[]")]
    return next((file for file in files if file.id == id), None)


async def client_settings(
    database: Database, client_id: int, within: int | None
) -> asyncpg.Record | None:
    """The settings, what the client has otherwise (null: nothing), and the version of both."""
    return await database.fetch_one(_CLIENT_SETTINGS, id=client_id, within=within)
