"""Front ends in browsers, which ask from an origin of their own."""

from collections.abc import AsyncIterator

import pytest
from gateway_api import Answer, Desk, gateway
from pydantic import ValidationError

from deskwire.testing import FreshDatabase
from gateway.settings import Settings

TICKETS = "/api/v1/tickets"
FRONT_END = "https://app.example.com"


@pytest.fixture
async def open_desk(fresh_database: FreshDatabase, broker_url: str) -> AsyncIterator[Desk]:
    async with gateway(fresh_database, broker_url, cors_origins=[FRONT_END]) as desk:
        yield desk


def preflight(origin: str) -> dict[str, str]:
    """What a browser sends before a change with a key."""
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,content-type,if-match",
    }


async def asked(desk: Desk, origin: str) -> Answer:
    return await desk.api.using("").call("OPTIONS", f"{TICKETS}/1", None, preflight(origin))


async def test_a_browser_may_ask_from_a_known_origin(open_desk: Desk) -> None:
    allowed = await asked(open_desk, FRONT_END)
    assert allowed.status == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert "PATCH" in allowed.headers["Access-Control-Allow-Methods"]
    assert "if-match" in allowed.headers["Access-Control-Allow-Headers"].lower()
    read = await open_desk.api.get(TICKETS, Origin=FRONT_END)
    assert read.status == 200
    assert read.headers["Access-Control-Allow-Origin"] == FRONT_END
    assert "ETag" in read.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in read.headers


async def test_its_errors_can_be_read_too(open_desk: Desk) -> None:
    refused = await open_desk.api.using("wrong").get(TICKETS, Origin=FRONT_END)
    assert refused.status == 401
    assert refused.headers["Access-Control-Allow-Origin"] == FRONT_END


async def test_another_origin_is_not_let_in(open_desk: Desk) -> None:
    assert (await asked(open_desk, "https://evil.example.net")).status == 400
    read = await open_desk.api.get(TICKETS, Origin="https://evil.example.net")
    assert "Access-Control-Allow-Origin" not in read.headers


async def test_without_the_setting_no_origin_is(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    async with gateway(fresh_database, broker_url) as desk:
        read = await desk.api.get(TICKETS, Origin=FRONT_END)
        assert "Access-Control-Allow-Origin" not in read.headers


@pytest.mark.parametrize("origin", ["app.example.com", f"{FRONT_END}/", f"{FRONT_END}/desk", ""])
def test_what_no_browser_sends_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(database_url="postgresql://x", broker_url="memory://", cors_origins=[origin])
