"""Sums of tickets: what is in them, and that no row of a ticket is read for them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway_api import Api, Desk
from plans import looked_at, scans_of

from deskwire import db
from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import Ticket, TicketChanged
from deskwire.messaging.envelope import wrap
from deskwire.testing import FreshDatabase
from gateway.readmodel.reports import FIRST_RESPONSE, OPEN, VOLUME, Range, statement_of

MARCH = "from=2026-03-01T00:00:00Z&to=2026-03-04T00:00:00Z"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
ACME, INITECH = Named(id=1, name="Acme"), Named(id=2, name="Initech")
BOB = Person(id=7, name="Bob")


def ticket(id: int, created_at: datetime, **changes: Any) -> Ticket:
    values = {
        "id": id,
        "number": id,
        "prefix": "TCK-",
        "reference": f"TCK-{id}",
        "subject": "s",
        "body": Body(text="b"),
        "status": "open",
        "priority": "low",
        "source": "api",
        "client": ACME,
        "entry_count": 1,
        "created_at": created_at,
        "created_by": Author(type="system"),
        "updated_at": created_at,
        "version": 1,
    }
    return Ticket.model_validate(values | changes)


@pytest.fixture
async def api(lonely_desk: Desk) -> Api:
    now, hour = datetime.now(UTC), timedelta(hours=1)
    closed = {"status": "closed", "closed_at": AT + timedelta(days=1)}
    for each in (
        ticket(1, AT, first_response_at=AT + hour, **closed),
        ticket(2, AT, first_response_at=AT + 3 * hour, status="hold", assigned_to=BOB),
        ticket(3, AT + timedelta(hours=14, minutes=30), client=INITECH),
        ticket(4, AT - timedelta(days=30), **closed),
        ticket(5, now - 2 * hour),
        ticket(6, now - timedelta(days=5), status="working"),
    ):
        await lonely_desk.broker.publish(wrap(TicketChanged(ticket=each)))
    return lonely_desk.api


async def report(api: Api, query: str = "") -> Any:
    answer = await api.get(f"/api/v1/reports/tickets?{MARCH}&{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_what_is_open(api: Api) -> None:
    found = (await report(api))["open"]
    assert (found["tickets"], found["unassigned"]) == (4, 3)
    assert [(age["from_days"], age["below_days"], age["tickets"]) for age in found["by_age"]] == [
        *((0, 1, 1), (1, 3, 0), (3, 7, 1), (7, 30, 0), (30, None, 2))
    ]
    assert found["by_status"] == {"hold": 1, "open": 2, "working": 1}
    assert (await report(api, "agent_id=7"))["open"]["by_status"] == {"hold": 1}


async def test_how_long_first_responses_took(api: Api) -> None:
    assert (await report(api))["first_response"] == {
        "tickets": 3,
        "answered": 2,
        "mean_seconds": 7200,
        "median_seconds": 3600,
        "p90_seconds": 10800,
    }
    assert (await report(api, "client_id=2"))["first_response"] == {
        "tickets": 1,
        "answered": 0,
        "mean_seconds": None,
        "median_seconds": None,
        "p90_seconds": None,
    }


async def test_how_many_were_opened_and_closed_a_day(api: Api) -> None:
    assert (await report(api))["volume"] == [
        {"day": "2026-03-01", "opened": 0, "closed": 0},
        {"day": "2026-03-02", "opened": 3, "closed": 0},
        {"day": "2026-03-03", "opened": 0, "closed": 2},
    ]
    berlin = (await report(api, "timezone=Europe/Berlin"))["volume"]
    assert [(each["day"], each["opened"]) for each in berlin] == [
        *(("2026-03-01", 0), ("2026-03-02", 2), ("2026-03-03", 1), ("2026-03-04", 0))
    ]


async def test_reports_that_cannot_be_are_refused(lonely_desk: Desk) -> None:
    bound = await lonely_desk.key("tickets:read", client_id=1)
    assert (await bound.get(f"/api/v1/reports/tickets?{MARCH}")).status == 403
    for query in ("", "from=2026-03-01T00:00:00Z", MARCH.replace("03-04", "02-04")):
        assert (await lonely_desk.api.get(f"/api/v1/reports/tickets?{query}")).status == 422, query
    assert (await lonely_desk.api.get(f"/api/v1/reports/tickets?{MARCH}&timezone=x")).status == 422


async def test_a_month_of_years_is_looked_at_by_indexes(
    fresh_database: FreshDatabase,
) -> None:
    """Whatever is asked of it: five years of tickets, of which a hundredth is open."""
    march = (datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
    async with db.connect(fresh_database("gateway"), size=1, plan_values=True) as database:
        await database.pool.execute("""
            INSERT INTO tickets (id, number, reference, status, priority, client_id, assigned_to,
                                 source, created_at, updated_at, first_response_at, closed_at,
                                 version, doc)
            SELECT n, n, 'TCK-' || n, CASE n % 100 WHEN 0 THEN 'open' ELSE 'closed' END, 'low',
                   1 + n % 200, 1 + n % 50, 'api', at, at, at + interval '1 hour',
                   CASE n % 100 WHEN 0 THEN NULL ELSE at + interval '2 days' END, 1,
                   repeat('x', 1000)
            FROM (SELECT n, timestamptz '2021-01-01Z' + n * interval '3152 seconds' AS at
                  FROM generate_series(0, 49999) n) AS made
        """)
        for _ in range(2):  # the first one leaves the last transaction's rows to the next
            await database.pool.execute("VACUUM ANALYZE tickets")
        for sql, rows in ((OPEN, 500), (FIRST_RESPONSE, 850), (VOLUME, 1_700)):
            scans = await scans_of("tickets", database, *statement_of(sql, Range(*march)))
            assert {scan["Node Type"] for scan in scans} == {"Index Only Scan"}, sql
            assert 0 < looked_at(scans) <= rows, sql
            one = Range(*march, client_ids=[7])
            scans = await scans_of("tickets", database, *statement_of(sql, one))
            assert "Seq Scan" not in {scan["Node Type"] for scan in scans}, sql
            assert looked_at(scans) <= rows, "no more than of all"
