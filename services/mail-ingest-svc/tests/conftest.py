"""A post office on a fresh database, and the places where its mail arrives."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import structlog
from post_office import Maildir, PostOffice, post_office
from structlog.testing import capture_logs

from deskwire.local import Dovecot
from deskwire.testing import FreshDatabase


@pytest.fixture
async def office(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[PostOffice]:
    async with post_office(fresh_database("mail_ingest_svc"), tmp_path / "blobs") as office:
        yield office


@pytest.fixture
def maildir(tmp_path: Path) -> Maildir:
    return Maildir(tmp_path / "support")


@pytest.fixture
def dovecot(dovecot_server: object) -> Iterator[Dovecot]:
    """A server of ours, running at the end of the test as at its beginning."""
    if not isinstance(dovecot_server, Dovecot):
        pytest.skip("this Dovecot is not ours to stop")
    yield dovecot_server
    dovecot_server.start()


@pytest.fixture
def dovecot_folder(server_folder: Path, dovecot: Dovecot) -> Path:
    return server_folder / "dovecot"


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    """What is logged, with its mailbox."""
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def user() -> str:
    return f"{uuid4().hex}@example.com"
