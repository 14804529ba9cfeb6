"""Bytes by their sha256, in a folder and in memory, and bodies too large for a message."""

from hashlib import sha256
from pathlib import Path

import pytest

from deskwire.blobs import PREVIEW_CHARACTERS, Blobs, open_blobs
from deskwire.contracts.base import INLINE_TEXT_BYTES, MESSAGE_BYTES
from deskwire.contracts.mail import Body
from deskwire.errors import NotFound, SetupError


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


async def test_a_body_that_fits_travels_as_it_is(blobs: Blobs) -> None:
    fits = Body(text="t" * (INLINE_TEXT_BYTES - 10), html="<p>" + "h" * 7)
    assert await blobs.fold(fits) is fits
    assert await blobs.unfold(fits) is fits


async def test_a_large_body_travels_as_its_beginning_and_a_blob(blobs: Blobs) -> None:
    whole = Body(text="ä" * INLINE_TEXT_BYTES, html="<b>\u2028</b>")
    folded = await blobs.fold(whole)
    assert (folded.text, folded.html) == ("ä" * PREVIEW_CHARACTERS, None)
    assert len(folded.model_dump_json().encode()) < MESSAGE_BYTES
    assert await blobs.fold(folded) == folded
    assert await blobs.unfold(folded) == whole


def test_a_store_that_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not ftp"):
        open_blobs("ftp://example.com")
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match="cannot be used: Not a directory"):
        open_blobs(f"file://{tmp_path}/file/folder")
