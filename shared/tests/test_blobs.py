"""Bytes by their sha256, in a folder and in memory, and bodies too large for a message."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from deskwire.blobs import (
    CHUNK_BYTES,
    PREVIEW_CHARACTERS,
    BlobError,
    Blobs,
    day_folder,
    fresh_place,
    mail_place,
    open_blobs,
    why,
)
from deskwire.contracts.base import INLINE_TEXT_BYTES, MESSAGE_BYTES
from deskwire.contracts.mail import Body
from deskwire.errors import NotFound, SetupError

PLACE = mail_place(7)


@pytest.fixture(params=["memory", "file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    place = f"file://{tmp_path}/a/b" if request.param == "file" else "memory://"
    return open_blobs(place)


async def test_the_same_bytes_are_the_same_blob(blobs: Blobs) -> None:
    for content in (b"", b"\0\xff", b"x" * 1_000_000):
        blob_id = await blobs.put(content)
        assert blob_id == sha256(content).hexdigest() == await blobs.put(content)
        assert await blobs.get(blob_id) == content


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFound, match="there is no blob 00ff"):
        await blobs.get("00ff")


async def test_a_folder_keeps_blobs(tmp_path: Path) -> None:
    blob_id = await open_blobs(f"file://{tmp_path}").put(b"kept")
    assert await open_blobs(f"file://{tmp_path}").get(blob_id) == b"kept"
    assert (tmp_path / blob_id[:2] / blob_id).read_bytes() == b"kept"


async def test_what_has_a_place_is_nobody_elses(blobs: Blobs) -> None:
    one, two = [await blobs.put(b"same", place) for place in (PLACE, mail_place(8))]
    assert one == f"mails/00/7-{sha256(b'same').hexdigest()}" == await blobs.put(b"same", PLACE)
    await blobs.delete(one)
    await blobs.delete(one)
    assert await blobs.get(two) == b"same"
    with pytest.raises(NotFound):
        await blobs.get(one)


def test_mails_that_come_together_share_a_folder() -> None:
    places = [mail_place(mail_id).split("/")[1] for mail_id in (0, 255, 256, 65_535, 65_536)]
    assert places == ["00", "00", "01", "ff", "00"]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def pieces(*content: bytes, error: BaseException | None = None) -> AsyncIterator[bytes]:
    for each in content:
        yield each
    if error is not None:
        raise error


@pytest.mark.parametrize("count", [0, 1, 3 * CHUNK_BYTES // 1000])
async def test_a_stream_is_written_and_read_in_ranges(blobs: Blobs, count: int) -> None:
    content = bytes(range(250)) * 4 * count
    blob_id = await blobs.write(fresh_place(), pieces(*[content[:1000]] * count))
    assert await blobs.get(blob_id) == content
    for part in (range(len(content)), range(7, 11)[: len(content)]):
        read = [chunk async for chunk in await blobs.read(blob_id, part)]
        assert b"".join(read) == content[part.start : part.stop]
    with pytest.raises(NotFound):
        await blobs.read("mails/00/none", range(4))


@pytest.mark.parametrize("error", [ValueError("cut"), asyncio.CancelledError()])
async def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    blobs = open_blobs(f"file://{tmp_path}")
    with pytest.raises(type(error)):
        await blobs.write("tickets/x/y", pieces(b"x" * 3 * CHUNK_BYTES, error=error))
    assert files(tmp_path) == []


async def test_a_folder_is_listed_without_what_is_unfinished(tmp_path: Path) -> None:
    blobs = open_blobs(f"file://{tmp_path}")
    folder = day_folder(date(2026, 2, 3))
    assert [ids async for ids in blobs.listed(folder)] == []
    there = {await blobs.put(b"%d" % n, f"{folder}{n}") for n in range(3)}
    await blobs.put(b"x", f"{day_folder(date(2026, 2, 4))}1")
    left = tmp_path / folder / "4#1"
    left.touch()
    assert {id async for ids in blobs.listed(folder) for id in ids} == there
    await blobs.remove_unfinished(folder)
    assert not left.exists()
    assert {id async for ids in blobs.listed(folder) for id in ids} == there


async def test_a_body_that_fits_travels_as_it_is(blobs: Blobs) -> None:
    fits = Body(text="t" * (INLINE_TEXT_BYTES - 10), html="<p>" + "h" * 7)
    assert await blobs.fold(fits, PLACE) is fits
    assert await blobs.unfold(fits) is fits


async def test_a_large_body_travels_as_its_beginning_and_a_blob(blobs: Blobs) -> None:
    whole = Body(text="ä" * INLINE_TEXT_BYTES, html="<b>\u2028</b>", quoted="> a", signature="b")
    folded = await blobs.fold(whole, PLACE)
    assert (folded.text, folded.html) == ("ä" * PREVIEW_CHARACTERS, None)
    assert len(folded.model_dump_json().encode()) < MESSAGE_BYTES
    assert await blobs.fold(folded, PLACE) == folded
    assert await blobs.unfold(folded) == whole


async def test_what_is_quoted_counts_as_size_too(blobs: Blobs) -> None:
    whole = Body(text="Yes.", quoted="> Does it blink?\n" * 5000)
    assert (await blobs.fold(whole, PLACE)).model_copy(update={"blob_id": None}) == Body(
        text="Yes."
    )


async def test_a_blob_of_before_quotations_were_told_apart(blobs: Blobs) -> None:
    blob_id = await blobs.put(b'{"text": "a", "html": null}', PLACE)
    assert await blobs.unfold(Body(text="", blob_id=blob_id)) == Body(text="a")


def test_a_store_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not ftp"):
        open_blobs("ftp://example.com")
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be used: Not a directory"):
        open_blobs(f"file://{tmp_path}/file/folder")


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows beyond a page."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_is_an_error_of_the_blobs(tmp_path: Path) -> None:
    """A plain `OSError` would be taken for the database's."""
    blobs = open_blobs(f"file://{tmp_path}")
    content = bytes(2 * CHUNK_BYTES)
    for write in (blobs.put(content), blobs.write(fresh_place(), pieces(content))):
        with full_disk(), pytest.raises(BlobError) as raised:
            await write
        assert "File too large" in why(raised.value)
        assert "Debug" not in why(raised.value)
