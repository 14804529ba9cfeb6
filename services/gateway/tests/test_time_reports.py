"""Sums of time worked: what is in them, and how much is looked at for them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from gateway_api import Answer, Api, Desk
from plans import looked_at, scans_of

from deskwire import db
from deskwire.contracts.actors import Named
from deskwire.contracts.people import AgentChanged, ClientChanged
from deskwire.contracts.records import Agent, Client
from deskwire.contracts.timekeeping import TimeChanged, TimeEntry
from deskwire.messaging.envelope import wrap
from deskwire.testing import FreshDatabase
from gateway.readmodel.timekeeping import GroupBy, Report, statement_of

MONTH = "from=2026-03-01T00:00:00Z&to=2026-04-01T00:00:00Z"
AT = datetime(2026, 3, 10, 9, tzinfo=UTC)
MARCH = (datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
ANN, BOB = Named(id=1, name="Ann"), Named(id=2, name="Bob")
ACME = Named(id=7, name="Acme")


def time(id: int, seconds: int | None, started_at: datetime = AT, **fields: Any) -> TimeEntry:
    values = {
        "id": id,
        "ticket_id": 1,
        "origin_ticket_id": 1,
        "reference": "TCK-1",
        "client": ACME,
        "agent": ANN,
        "seconds": seconds,
        "started_at": started_at,
        "billable": True,
        "created_at": AT,
        "updated_at": AT,
    }
    return TimeEntry.model_validate(values | fields)


TOLD = (
    time(1, 100),
    time(2, 20, AT + timedelta(days=1), billable=False),
    time(3, 3, agent=BOB, ticket_id=2, invoice_id=5),
    time(4, 1000, agent=None, client=None, ticket_id=3),
    time(5, None),  # runs
    time(6, 5000, deleted_at=AT),
    time(7, 7000, datetime(2026, 2, 28, 23, 59, tzinfo=UTC)),
    time(8, 40000, datetime(2026, 4, 1, tzinfo=UTC)),
    time(9, 200000, datetime(2026, 3, 31, 23, 30, tzinfo=UTC), agent=BOB),
)


@pytest.fixture
async def api(lonely_desk: Desk) -> Api:
    people = (
        AgentChanged(
            agent=Agent(id=1, name="Ann", email="ann@example.com", created_at=AT, version=1)
        ),
        ClientChanged(client=Client(id=7, name="Acme", created_at=AT, version=1)),
    )
    for event in (*people, *(TimeChanged(time=each) for each in TOLD)):
        await lonely_desk.broker.publish(wrap(event))
    return lonely_desk.api


async def report(api: Api, query: str) -> Answer:
    return await api.get(f"/api/v1/reports/time?{MONTH}&{query}")


async def groups(api: Api, query: str) -> list[tuple[Any, ...]]:
    answer = await report(api, query)
    assert answer.status == 200, answer.body
    names = ("id", "name", "seconds", "billable_seconds", "entries")
    return [tuple(group[name] for name in names) for group in answer.json["data"]]


async def test_time_is_summed_up_by_each_group(api: Api) -> None:
    assert await groups(api, "group_by=agent") == [
        (None, None, 1000, 1000, 1),
        (1, "Ann", 120, 100, 2),
        (2, None, 200003, 200003, 2),  # is not known yet
    ]
    assert await groups(api, "group_by=client") == [
        (None, None, 1000, 1000, 1),
        (7, "Acme", 200123, 200103, 4),
    ]
    assert await groups(api, "group_by=ticket&agent_id=2") == [
        (1, None, 200000, 200000, 1),
        (2, None, 3, 3, 1),
    ]
    assert await groups(api, "group_by=day&client_id=7") == [
        (None, "2026-03-10", 103, 103, 2),
        (None, "2026-03-11", 20, 0, 1),
        (None, "2026-03-31", 200000, 200000, 1),
    ]
    assert (await groups(api, "group_by=day&timezone=Europe/Berlin"))[-1][1] == "2026-04-01"


async def test_filters_and_sum(api: Api) -> None:
    whole = (await report(api, "group_by=ticket")).json
    assert whole["sum"] == {"seconds": 201123, "billable_seconds": 201103, "entries": 5}
    for query, seconds in (
        ("billable=true", 201103),
        ("billable=false", 20),
        ("agent_id=1,2", 200123),
        ("agent_id=1&agent_id=2&client_id=7&billable=true", 200103),
        ("client_id=8", 0),
        ("invoiced=true", 3),
        ("invoiced=false&billable=true", 201100),
    ):
        answer = (await report(api, f"group_by=agent&{query}")).json
        assert answer["sum"]["seconds"] == seconds, query
        assert sum(group["seconds"] for group in answer["data"]) == seconds, query
    assert (await report(api, "group_by=day&agent_id=99")).json == {
        "data": [],
        "next_cursor": None,
        "sum": {"seconds": 0, "billable_seconds": 0, "entries": 0},
    }


async def test_pages_have_the_sum_of_all(api: Api) -> None:
    whole, found, cursor = await groups(api, "group_by=ticket"), [], ""
    for _ in whole:
        page = (await report(api, f"group_by=ticket&limit=1{cursor}")).json
        assert page["sum"]["seconds"] == 201123
        found += [group["id"] for group in page["data"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (found, cursor) == ([1, 2, 3], "&cursor=None")
    assert len(whole) == 3


@pytest.mark.parametrize(
    ("status", "field", "query"),
    [
        (422, "from", "group_by=day&to=2026-03-01T00:00:00Z"),
        (422, "to", "group_by=day&from=2026-03-01T00:00:00Z"),
        (422, "to", "group_by=day&from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z"),
        (422, "to", "group_by=day&from=2026-03-01T00:00:00Z&to=2027-03-02T00:00:01Z"),
        (422, "from", "group_by=day&from=2026-03-01&to=2026-03-02T00:00:00Z"),
        (422, "group_by", MONTH),
        (422, "group_by", f"{MONTH}&group_by=note"),
        (422, "timezone", f"{MONTH}&group_by=day&timezone=Mars/Olympus"),
        (422, "agent_id", f"{MONTH}&group_by=day&agent_id=none"),
        (422, "limit", f"{MONTH}&group_by=day&limit=1001"),
        (422, "price", f"{MONTH}&group_by=day&price=1"),
        (400, "cursor", f"{MONTH}&group_by=day&cursor=-5"),
        (400, "cursor", f"{MONTH}&group_by=day&cursor=%C2%B2"),
    ],
)
async def test_what_is_refused(lonely_desk: Desk, status: int, field: str, query: str) -> None:
    refused = await lonely_desk.api.get(f"/api/v1/reports/time?{query}")
    assert (refused.status, refused.json["errors"][0]["field"]) == (status, field)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T00:00:00-12:00"])
async def test_the_ends_of_time(lonely_desk: Desk, at: str) -> None:
    later = at.replace("-01T", "-02T").replace("-31T0", "-31T1")
    path = f"/api/v1/reports/time?group_by=day&from={at}&to={later}"
    assert (await lonely_desk.api.get(path)).status in (200, 422)


async def test_a_client_sees_none_of_it(lonely_desk: Desk) -> None:
    bound = await lonely_desk.key("admin", client_id=7)
    assert (await report(bound, "group_by=day")).status == 403


@pytest.fixture
async def years(fresh_database: FreshDatabase) -> AsyncIterator[db.Database]:
    """Five years of 50 agents and 200 clients: 100,000 time entries in the order of their time."""
    async with db.connect(fresh_database("gateway"), size=1, plan_values=True) as database:
        await database.pool.execute("""
            INSERT INTO time_entries (id, ticket_id, agent_id, client_id, started_at, seconds,
                                      billable, version, doc)
            SELECT n, n / 3, 1 + n * 7919 % 50, 1 + CAST(n AS bigint) * 104729 % 200,
                   timestamptz '2021-01-01Z' + n * interval '1576 seconds', 600, n % 3 = 0, 1, '{}'
            FROM generate_series(0, 99999) n
        """)
        for _ in range(2):  # the first one leaves the last transaction's rows to the next
            await database.pool.execute("VACUUM ANALYZE time_entries")
        yield database


async def test_a_month_looks_at_no_more_than_the_month(years: db.Database) -> None:
    """Whatever is asked of it."""
    for given, rows in (
        ({"agent_ids": [7]}, 34),
        ({"client_ids": [7]}, 9),
        ({"agent_ids": [7], "client_ids": [7], "billable": True}, 34),
        ({}, 1_700),
    ):
        for group_by in get_args(GroupBy):
            asked = statement_of(Report(group_by, *MARCH, **given), after=-1, limit=201)
            scans = await scans_of("time_entries", years, *asked)
            assert {scan["Node Type"] for scan in scans} == {"Index Only Scan"}
            assert 0 < looked_at(scans) <= rows, (given, group_by)


async def test_the_report_as_csv(api: Api) -> None:
    answer = await api.get(f"/api/v1/reports/time.csv?{MONTH}&group_by=agent")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="time.csv"'
    assert answer.body.decode("utf-8-sig").splitlines() == [
        "id,name,seconds,billable_seconds,entries",
        ",,1000,1000,1",
        "1,Ann,120,100,2",
        "2,,200003,200003,2",
    ]
    assert (await api.get(f"/api/v1/reports/time.csv?{MONTH}&group_by=agent&limit=1")).status == 422
