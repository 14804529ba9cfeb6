"""Uploads that are linked, expire, are discarded; and blobs of which no row is left dangling."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from ticket_desk import AGENT, Desk

from deskwire.blobs import Blobs, day_folder, fresh_place, mail_place, open_blobs
from deskwire.contracts.actors import Actor, Through
from deskwire.contracts.attachments import KeepUpload
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Attachment, Body
from deskwire.contracts.ticket_commands import AddEntry, EditEntry, RedactEntry, TicketEntry
from deskwire.contracts.tickets import TicketOpened
from deskwire.errors import KeyReused, NotFound
from deskwire.messaging.housekeeping import tidy
from ticket_svc.collector import LATENCY, delete_discarded, due, sweep
from ticket_svc.store.attachments import EXPIRE

ACTOR = Actor(author=AGENT, through=Through(type="system"))
TODAY = datetime.now(UTC).date() + timedelta(days=9)
"""The running ticket-svc has swept what was due at its start, and has not come to this day yet."""


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """The store of the running ticket-svc."""
    return open_blobs(f"file://{tmp_path}/blobs")


def upload(blob_id: str, request_id: UUID | None = None, **values: object) -> KeepUpload:
    given = {
        "request_id": request_id or uuid4(),
        "uploader": "key:1",
        "blob_id": blob_id,
        "name": "a.txt",
        "type": "text/plain",
        "size": 4,
        "sha256": "ab" * 32,
    }
    return KeepUpload.model_validate(given | values)


async def kept(desk: Desk, blobs: Blobs) -> StoredFile:
    return await desk.ask(upload(await blobs.put(b"text", fresh_place())))


async def note(
    desk: Desk, ticket_id: int, *files: StoredFile, body: Body | None = None
) -> TicketEntry:
    return await desk.ask(
        AddEntry(
            ticket_id=ticket_id,
            kind="internal",
            body=body or Body(text="see there"),
            author=AGENT,
            attachment_ids=tuple(file.id for file in files),
            uploader="key:1",
        )
    )


async def there(blobs: Blobs, blob_id: str) -> bool:
    try:
        await blobs.get(blob_id)
    except NotFound:
        return False
    return True


async def dangling(desk: Desk, blobs: Blobs) -> list[str]:
    """What rows point at and is not there."""
    rows = await desk.database.pool.fetch(
        "SELECT blob_id FROM attachments"
        " UNION ALL SELECT body_blob FROM entries WHERE body_blob IS NOT NULL"
    )
    return [row["blob_id"] for row in rows if not await there(blobs, row["blob_id"])]


async def age(desk: Desk, hours: int) -> None:
    sql = "UPDATE attachments SET created_at = created_at - make_interval(hours => $1)"
    await desk.database.pool.execute(sql, hours)


async def test_a_repeated_upload_is_the_first(desk: Desk) -> None:
    first = upload("tickets/x/1")
    made = await desk.ask(first)
    again = upload("tickets/x/2", first.request_id)
    assert await desk.ask(again) == made
    with pytest.raises(KeyReused):
        await desk.ask(upload("tickets/x/3", first.request_id, sha256="cd" * 32))
    with pytest.raises(KeyReused):
        await desk.ask(upload("tickets/x/4", first.request_id, name="b.txt"))


async def test_what_fails_leaves_its_files_free(desk: Desk, blobs: Blobs) -> None:
    file = await kept(desk, blobs)
    with pytest.raises(NotFound, match="ticket"):
        await note(desk, 99, file)
    ticket = (await desk.open()).ticket
    assert (await note(desk, ticket.id, file)).entry.attachments == (file,)
    with pytest.raises(NotFound) as refusal:
        await note(desk, ticket.id, file)
    assert refusal.value.field == "attachment_ids"


async def test_an_upload_expires_after_a_day(desk: Desk, blobs: Blobs) -> None:
    ticket = (await desk.open()).ticket
    used, unused = [await kept(desk, blobs) for _ in range(2)]
    await note(desk, ticket.id, used)
    await age(desk, 25)
    with pytest.raises(NotFound):
        await note(desk, ticket.id, unused)
    await tidy(desk.database, (EXPIRE,))
    await delete_discarded(desk.database, blobs)
    assert (await there(blobs, used.blob_id), await there(blobs, unused.blob_id)) == (True, False)
    assert await desk.database.pool.fetchval("SELECT count(*) FROM attachments") == 1


async def test_what_is_not_a_day_old_stays(desk: Desk, blobs: Blobs) -> None:
    file = await kept(desk, blobs)
    await age(desk, 23)
    await tidy(desk.database, (EXPIRE,))
    await delete_discarded(desk.database, blobs)
    assert await there(blobs, file.blob_id)
    ticket = (await desk.open()).ticket
    assert (await note(desk, ticket.id, file)).entry.attachments == (file,)


async def test_redaction_deletes_files_and_text(desk: Desk, blobs: Blobs) -> None:
    ticket = (await desk.open()).ticket
    long = await blobs.fold(Body(text="long " * 20_000), fresh_place())
    entry = (await note(desk, ticket.id, await kept(desk, blobs), body=long)).entry
    other = (await note(desk, ticket.id, await kept(desk, blobs))).entry
    await desk.ask(RedactEntry(ticket_id=ticket.id, entry_id=entry.id, actor=ACTOR))
    await delete_discarded(desk.database, blobs)
    assert long.blob_id
    assert not await there(blobs, long.blob_id)
    assert not await there(blobs, entry.attachments[0].blob_id)
    assert await there(blobs, other.attachments[0].blob_id)


async def test_an_edited_note_keeps_its_files_alone(desk: Desk, blobs: Blobs) -> None:
    ticket = (await desk.open()).ticket
    before, after = [
        await blobs.fold(Body(text=text * 20_000), fresh_place()) for text in ("long ", "other ")
    ]
    entry = (await note(desk, ticket.id, await kept(desk, blobs), body=before)).entry
    edit = EditEntry(ticket_id=ticket.id, entry_id=entry.id, body=after, actor=ACTOR)
    assert (await desk.ask(edit)).entry.attachments == entry.attachments
    await delete_discarded(desk.database, blobs)
    assert before.blob_id
    assert not await there(blobs, before.blob_id)
    assert await dangling(desk, blobs) == []


async def test_files_of_mails_go_with_their_entries(desk: Desk, blobs: Blobs) -> None:
    await desk.client()
    own, shared = await blobs.put(b"logo", mail_place(1)), await blobs.put(b"logo")
    files = [
        Attachment(blob_id=blob_id, name="a", type="image/png", size=4, sha256="ab" * 32)
        for blob_id in (own, shared)
    ]
    await desk.mail("alice@client.test", attachments=files)
    opened = (await desk.next(TicketOpened)).entry
    await age(desk, 99)
    await tidy(desk.database, (EXPIRE,))
    await delete_discarded(desk.database, blobs)
    assert await dangling(desk, blobs) == []
    await desk.ask(RedactEntry(ticket_id=opened.ticket_id, entry_id=opened.id, actor=ACTOR))
    await delete_discarded(desk.database, blobs)
    assert (await there(blobs, own), await there(blobs, shared)) == (False, True)


async def test_blobs_of_writes_that_never_were_are_swept(desk: Desk, blobs: Blobs) -> None:
    ticket = (await desk.open()).ticket
    old, young = [f"{day_folder(TODAY - timedelta(days=days))}{{}}" for days in (3, 2)]
    left = await blobs.put(b"left", old.format("left"))
    late = await blobs.put(b"late", young.format("late"))
    file = await desk.ask(upload(await blobs.put(b"text", old.format("file"))))
    body = await blobs.fold(Body(text="long " * 20_000), old.format("body"))
    await note(desk, ticket.id, file, body=body)
    await sweep(desk.database, blobs, TODAY)
    assert [await there(blobs, blob_id) for blob_id in (left, late, file.blob_id)] == [
        False,
        True,
        True,
    ]
    assert await dangling(desk, blobs) == []
    await sweep(desk.database, blobs, TODAY + timedelta(days=1))
    assert not await there(blobs, late)


async def test_no_day_is_left_out_or_looked_at_twice(desk: Desk, blobs: Blobs) -> None:
    looked: list[str] = []

    class Watched(Blobs):
        async def remove_unfinished(self, folder: str) -> None:
            looked.append(folder)

    watched = Watched(blobs._store)  # the same store
    await sweep(desk.database, blobs, TODAY)
    for later in (1, 1, 4):
        await sweep(desk.database, watched, TODAY + timedelta(days=later))
    last = TODAY - LATENCY
    assert looked == [day_folder(last + timedelta(days=days)) for days in range(1, 5)]


async def race(desk: Desk, blobs: Blobs, ticket_id: int) -> bool:
    """Whether an entry got an upload that expires at the same moment."""
    file = await kept(desk, blobs)
    # it is young to the entry and old to the housekeeping: only the row's lock decides
    expire = replace(EXPIRE, sql=EXPIRE.sql.replace("24 hours", "0 hours"))
    linked, _ = await asyncio.gather(
        note(desk, ticket_id, file), desk.database.fetch(expire), return_exceptions=True
    )
    await delete_discarded(desk.database, blobs)
    if isinstance(linked, BaseException):
        assert isinstance(linked, NotFound)
        assert not await there(blobs, file.blob_id)
        return False
    assert linked.entry.attachments == (file,)
    return True


async def test_linking_and_expiry_at_the_same_time(desk: Desk, blobs: Blobs) -> None:
    ticket = (await desk.open()).ticket
    won = [await race(desk, blobs, ticket.id) for _ in range(30)]
    assert await dangling(desk, blobs) == []
    assert await desk.database.pool.fetchval("SELECT count(*) FROM attachments") == sum(won)


class Killed(BaseException):
    pass


class Mortal(Blobs):
    """Its process ends before, or after, a blob was deleted."""

    def __init__(self, blobs: Blobs, *, after: bool) -> None:
        super().__init__(blobs._store)  # the same store
        self._after = after

    async def delete(self, blob_id: str) -> None:
        if self._after:
            await super().delete(blob_id)
        raise Killed


@pytest.mark.parametrize("after", [False, True])
async def test_who_is_killed_leaves_no_row_dangling(desk: Desk, blobs: Blobs, after: bool) -> None:
    ticket = (await desk.open()).ticket
    used, unused, redacted = [await kept(desk, blobs) for _ in range(3)]
    await note(desk, ticket.id, used)
    entry = (await note(desk, ticket.id, redacted)).entry
    await desk.ask(RedactEntry(ticket_id=ticket.id, entry_id=entry.id, actor=ACTOR))
    left = await blobs.put(b"left", f"{day_folder(TODAY - LATENCY)}x")
    await age(desk, 25)
    assert await due(desk.database, blobs, TODAY) == {
        unused.blob_id: "uploaded and never used",
        redacted.blob_id: "discarded",
        left: "its write never was",
    }
    await tidy(desk.database, (EXPIRE,))
    mortal = Mortal(blobs, after=after)
    works: tuple[Callable[[Blobs], Awaitable[None]], ...] = (
        lambda store: delete_discarded(desk.database, store),
        lambda store: sweep(desk.database, store, TODAY),
    )
    for work in works:
        with pytest.raises(Killed):
            await work(mortal)
        assert await dangling(desk, blobs) == []
    for work in works:
        await work(blobs)
    assert await dangling(desk, blobs) == []
    gone = [await there(blobs, id) for id in (unused.blob_id, redacted.blob_id, left)]
    assert (gone, await there(blobs, used.blob_id)) == ([False] * 3, True)
    assert await due(desk.database, blobs, TODAY) == {}
