"""A scheduler's database and broker, with ears for what it says."""

from collections.abc import AsyncIterator

import pytest
from scheduler_office import Office, open_office

from deskwire.testing import FreshDatabase


@pytest.fixture
async def office(fresh_database: FreshDatabase) -> AsyncIterator[Office]:
    async with open_office(fresh_database("scheduler_svc")) as office:
        yield office
