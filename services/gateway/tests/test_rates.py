"""Too many requests of a key, too many wrong keys of an address."""

from collections.abc import AsyncIterator

import pytest
from gateway_api import Desk, gateway, ignore
from pydantic import ValidationError

from deskwire.messaging.broker import connect
from deskwire.testing import FreshDatabase
from deskwire.topology import TICKET_SVC
from gateway import rates
from gateway.rates import Limiter, Rate, network
from gateway.settings import Settings

TICKETS = "/api/v1/tickets"
READ_PHP = "/api/v1/tickets/read.php"


@pytest.fixture
async def limited_desk(fresh_database: FreshDatabase, broker_url: str) -> AsyncIterator[Desk]:
    async with (
        connect(broker_url) as broker,
        broker.consume(TICKET_SVC, ignore),
        gateway(fresh_database, broker_url, rate_limit="3/minute") as desk,
    ):
        yield desk


async def test_a_key_has_so_many_requests(limited_desk: Desk) -> None:
    answers = [await limited_desk.api.get(TICKETS) for _ in range(4)]
    assert [each.status for each in answers] == [200, 200, 200, 429]
    assert [each.headers["RateLimit-Remaining"] for each in answers] == ["2", "1", "0", "0"]
    last = answers[-1]
    assert last.json["code"] == "rate_limited"
    assert last.headers["RateLimit-Limit"] == "3"
    assert 1 <= int(last.headers["RateLimit-Reset"]) <= 60
    assert 1 <= int(last.headers["Retry-After"]) <= 60
    other = await limited_desk.key("tickets:read")
    assert (await other.get(TICKETS)).status == 200


async def test_every_face_counts(limited_desk: Desk) -> None:
    key = limited_desk.api.key
    nobody = limited_desk.api.using("")
    for _ in range(2):
        assert (await nobody.get(f"{READ_PHP}?api_key={key}")).status == 200
    assert (await limited_desk.api.get("/api/v1/events?x=1")).status == 422
    refused = await nobody.get(f"{READ_PHP}?api_key={key}")
    assert (refused.status, refused.json["success"]) == (429, "False")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


async def test_wrong_keys_are_limited_and_good_ones_let_in(lonely_desk: Desk) -> None:
    good = lonely_desk.api
    statuses = [(await good.using(f"dw_{n}_x").get(TICKETS)).status for n in range(1, 32)]
    assert statuses == [401] * 30 + [429]
    refused = await good.using("nonsense").get(TICKETS)
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    itflow = await good.using("").get(f"{READ_PHP}?api_key=nonsense")
    assert (itflow.status, itflow.json["success"]) == (429, "False")
    assert (await good.get(TICKETS)).status == 200
    assert (await good.using("").get(TICKETS)).status == 401  # without a key nothing is guessed
    assert "RateLimit-Limit" not in (await good.get(TICKETS)).headers


def test_windows_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 100.0
    monkeypatch.setattr("time.monotonic", lambda: clock)
    limiter = Limiter(Rate(2, 60))
    assert [limiter.take("k").spent for _ in range(3)] == [False, False, True]
    assert limiter.take("k").reset == 60
    clock += 59.5
    assert limiter.take("k").reset == 1
    clock += 0.5
    assert not limiter.take("k").spent


def test_the_memory_of_wrong_keys_is_bounded() -> None:
    limiter = Limiter(Rate(1, 3600))
    for number in range(3 * rates.COUNTED):
        limiter.take(number)
    assert len(limiter._windows) <= rates.COUNTED
    assert limiter.take(3 * rates.COUNTED - 1).spent


def test_an_attacker_has_a_network_of_ipv6() -> None:
    assert network("2001:db8:1:2:3:4:5:6") == network("2001:db8:1:2::9") == "2001:db8:1:2::"
    assert network("2001:db8:1:3::9") != network("2001:db8:1:2::9")
    assert network("192.0.2.1") == "192.0.2.1"
    assert network("fe80::1%eth0") == network("fe80::2%eth0") == "fe80::"


@pytest.mark.parametrize("text", ["x", "0/minute", "5", "5/day", "-1/minute", "5/minute "])
def test_a_limit_that_is_none_is_refused(text: str) -> None:
    given = {"database_url": "postgresql://x", "broker_url": "memory://x", "rate_limit": text}
    with pytest.raises(ValidationError):
        Settings.model_validate(given)
