"""A running ticket-svc on a fresh database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from ticket_desk import Desk, told, working

from deskwire.testing import FreshDatabase


@pytest.fixture
async def desk(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Desk]:
    async with working(told(fresh_database("ticket_svc"), tmp_path)) as desk:
        yield desk
