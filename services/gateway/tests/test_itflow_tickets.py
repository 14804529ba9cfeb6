"""ITFlow's `tickets/`, byte for byte where its clients could tell."""

import json
from datetime import UTC, datetime
from functools import partial

from gateway_api import Api, Desk, eventually, gateway
from itflow_api import (
    NOT_CREATED,
    NOT_UPDATED,
    NOTHING,
    UPDATED,
    insert,
    made,
    read,
    rows,
    write,
)

from deskwire.blobs import Blobs, open_blobs
from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import Ticket, TicketChanged
from deskwire.messaging.envelope import wrap
from deskwire.testing import FreshDatabase

# itflow.md 2.8, the seed's own sample.
SAMPLE = (
    '{"success":"True","count":1,"data":[{"0":"3","ticket_id":"3","1":"TCK-","ticket_prefix":"TCK-",'
    '"2":"3","ticket_number":"3","3":null,"ticket_category":null,"4":"Computer broken",'
    '"ticket_subject":"Computer broken","5":"<p>It will not start<\\/p>",'
    '"ticket_details":"<p>It will not start<\\/p>","6":"Low","ticket_priority":"Low","7":"Open",'
    '"ticket_status":"Open","8":null,"ticket_feedback":null,"9":"2023-03-20 09:15:00",'
    '"ticket_created_at":"2023-03-20 09:15:00","10":null,"ticket_updated_at":null,"11":null,'
    '"ticket_archived_at":null,"12":null,"ticket_closed_at":null,"13":"1","ticket_created_by":"1",'
    '"14":"1","ticket_assigned_to":"1","15":"0","ticket_closed_by":"0","16":"0",'
    '"ticket_vendor_id":"0","17":"1","ticket_client_id":"1","18":"1","ticket_contact_id":"1",'
    '"19":"0","ticket_location_id":"0","20":"0","ticket_asset_id":"0"}]}'
)


def ticket(id: int = 3, **changes: object) -> Ticket:
    at = datetime(2023, 3, 20, 9, 15, tzinfo=UTC)
    values: dict[str, object] = {
        "id": id,
        "number": id,
        "prefix": "TCK-",
        "reference": f"TCK-{id}",
        "subject": "Computer broken",
        "body": Body(text="It will not start", html="<p>It will not start</p>"),
        "status": "open",
        "priority": "low",
        "source": "api",
        "client": Named(id=1, name="Acme"),
        "contact": Person(id=1, name="Ann"),
        "assigned_to": Person(id=1, name="Bob"),
        "entry_count": 1,
        "created_at": at,
        "created_by": Author(type="agent", id=1, name="Bob"),
        "updated_at": at,
        "version": 1,
    }
    return Ticket.model_validate(values | changes)


async def keep(desk: Desk, *tickets: Ticket) -> None:
    for each in tickets:
        await desk.broker.publish(wrap(TicketChanged(ticket=each)))


async def test_sample_byte_for_byte(lonely_desk: Desk) -> None:
    await keep(lonely_desk, ticket())
    answer = await read(lonely_desk.api, "tickets/read", "ticket_id=3")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.body.decode() == SAMPLE
    assert (await read(lonely_desk.api, "tickets/read", "ticket_id=3abc")).body.decode() == SAMPLE
    assert (await read(lonely_desk.api, "tickets/read")).body.decode() == SAMPLE


async def test_values_of_a_full_row(lonely_desk: Desk) -> None:
    later = datetime(2023, 3, 21, 10, 0, 0, 123456, tzinfo=UTC)
    agent = Author(type="agent", id=7, name="Eve")
    await keep(
        lonely_desk,
        ticket(
            subject='Ünïcode / "quotes" 😀',
            body=Body(text="1 < 2\n& it's so"),
            status="auto-close",
            priority="high",
            category="hardware",
            client=None,
            contact=None,
            assigned_to=None,
            assets=(Named(id=9, name="PC"), Named(id=10, name="Mac")),
            created_by=Author(type="contact", id=4, name="Ann"),
            closed_by=agent,
            closed_at=later,
            updated_at=later,
        ),
    )
    answer = await read(lonely_desk.api, "tickets/read", "ticket_id=3")
    assert b'"4":"\\u00dcn\\u00efcode \\/ \\"quotes\\" \\ud83d\\ude00"' in answer.body
    row = answer.json["data"][0]
    named = {name: value for name, value in row.items() if name.startswith("ticket")}
    assert len(named) == 21
    assert [row[str(place)] for place in range(21)] == list(named.values())
    assert named == {
        "ticket_id": "3",
        "ticket_prefix": "TCK-",
        "ticket_number": "3",
        "ticket_category": "hardware",
        "ticket_subject": 'Ünïcode / "quotes" 😀',
        "ticket_details": "1 &lt; 2<br>\n&amp; it's so",
        "ticket_priority": "High",
        "ticket_status": "Auto Close",
        "ticket_feedback": None,
        "ticket_created_at": "2023-03-20 09:15:00",
        "ticket_updated_at": "2023-03-21 10:00:00",
        "ticket_archived_at": None,
        "ticket_closed_at": "2023-03-21 10:00:00",
        "ticket_created_by": "0",
        "ticket_assigned_to": "0",
        "ticket_closed_by": "7",
        "ticket_vendor_id": "0",
        "ticket_client_id": "0",
        "ticket_contact_id": "0",
        "ticket_location_id": "0",
        "ticket_asset_id": "9",
    }


async def test_statuses_have_itflows_names(lonely_desk: Desk) -> None:
    names = {"working": "Working", "hold": "On Hold", "closed": "Closed", "open": "Open"}
    await keep(lonely_desk, *(ticket(n, status=name) for n, name in enumerate(names, 1)))
    found = await rows(lonely_desk.api, "tickets/read")
    assert [row["ticket_status"] for row in found] == list(names.values())


async def test_pages_are_by_limit_and_offset(lonely_desk: Desk) -> None:
    api = lonely_desk.api
    await keep(lonely_desk, *(ticket(id) for id in range(1, 121)))

    async def ids(query: str) -> list[int]:
        return [
            int(row["ticket_id"]) for row in (await read(api, "tickets/read", query)).json["data"]
        ]

    assert await ids("") == list(range(1, 51))
    assert await ids("limit=2&offset=119") == [120]
    assert await ids("limit=999999999999999999999") == list(range(1, 121))
    for query in ("limit=0", "limit=-1", "offset=-1", "offset=120", "limit=x"):
        assert (await read(api, "tickets/read", query)).body == NOTHING, query
    body = json.dumps({"api_key": api.key, "limit": "3"}).encode()
    answer = await api.using("").call("GET", "/api/v1/tickets/read.php?limit=", body, {})
    assert answer.body == NOTHING, "an empty limit is 0"
    answer = await api.using("").call("GET", "/api/v1/tickets/read.php", body, {})
    assert answer.json["count"] == 3


async def test_scope_of_clients(lonely_desk: Desk) -> None:
    other = Named(id=2, name="Initech")
    await keep(lonely_desk, ticket(1), ticket(2, client=other), ticket(3, client=None))
    bound = await lonely_desk.key("tickets:read", client_id=2)

    async def ids(api: Api, query: str) -> list[str]:
        return [row["ticket_id"] for row in await rows(api, "tickets/read", query)]

    assert await ids(bound, "") == ["2"]
    assert await ids(bound, "client_id=1") == ["2"]
    assert await ids(bound, "ticket_id=1") == []
    assert await ids(lonely_desk.api, "client_id=1") == ["1"]
    assert await ids(lonely_desk.api, "client_id=x") == ["1", "2", "3"]
    assert await ids(lonely_desk.api, "client_id=1x") == ["1", "2", "3"]
    assert await ids(lonely_desk.api, "client_id=0") == ["3"]
    assert await ids(lonely_desk.api, "client_id=-1") == []
    assert await ids(lonely_desk.api, "client_id=2&ticket_id=1") == []
    assert await ids(lonely_desk.api, "client_id=0&ticket_id=1") == []
    assert await ids(lonely_desk.api, "client_id=0&ticket_id=3") == ["3"]


async def test_a_ticket_is_created_as_itflow_does(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    values = {
        "client_id": str(client["id"]),
        "ticket_contact_id": "0",
        "ticket_subject": " <b>Printer</b> offline ",
        "ticket_details": "<p>It is <em>off</em></p><script>x</script>",
        "ticket_priority": "Medium",
        "ticket_vendor_id": "9",
        "unheard": "of",
    }
    answer = await write(desk.api, "tickets/create", values)
    assert answer.status == 200
    assert answer.body == made(1)
    row = (await read(desk.api, "tickets/read", "ticket_id=1")).json["data"][0]
    assert row["ticket_subject"] == "Printer offline"
    assert row["ticket_details"] == "<p>It is <em>off</em></p>"
    assert row["ticket_priority"] == "Medium"
    assert row["ticket_client_id"] == str(client["id"])
    assert (row["ticket_created_by"], row["ticket_status"]) == ("0", "Open")


async def test_create_with_the_least(desk: Desk) -> None:
    answer = await write(desk.api, "tickets/create", {"ticket_subject": "s"})
    assert answer.json["success"] == "True"
    row = (await read(desk.api, "tickets/read", "ticket_id=1")).json["data"][0]
    assert row["ticket_details"] == "< blank >"
    assert (row["ticket_priority"], row["ticket_client_id"]) == ("Low", "0")


async def test_tickets_that_cannot_be_are_refused(desk: Desk) -> None:
    for values in (
        {},
        {"ticket_subject": "  "},
        {"ticket_subject": "0"},
        {"ticket_subject": None},
        {"ticket_subject": ["s"]},
        {"ticket_subject": "<p></p>"},
        {"ticket_subject": "s" * 501},
        {"ticket_subject": "s", "client_id": "99"},
        {"ticket_subject": "s", "ticket_assigned_to": 99},
    ):
        answer = await write(desk.api, "tickets/create", values)
        assert (answer.status, answer.body) == (200, NOT_CREATED), values


async def test_create_within_the_client_of_the_key(desk: Desk) -> None:
    one = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    two = await desk.api.made("/api/v1/clients", {"name": "Initech"})
    bound = await desk.key("tickets:read", "tickets:write", client_id=two["id"])
    values = {"client_id": one["id"], "ticket_subject": "s"}
    assert await insert(bound, "tickets/create", values) == 1
    assert (await read(bound, "tickets/read")).json["data"][0]["ticket_client_id"] == str(two["id"])
    agent = await desk.api.made("/api/v1/agents", {"name": "Eve", "email": "eve@example.com"})
    assigned = values | {"ticket_assigned_to": agent["id"]}
    assert (await write(bound, "tickets/create", assigned)).body == NOT_CREATED
    assert await insert(desk.api, "tickets/create", assigned)


async def test_large_details_are_whole(
    fresh_database: FreshDatabase, broker_url: str, tmp_path: object
) -> None:
    blob_url = f"file://{tmp_path}"
    blobs: Blobs = open_blobs(blob_url)
    folded = await blobs.fold(Body(text="x" * 100_000), "mails/07/7")
    async with gateway(fresh_database, broker_url, blob_url=blob_url) as desk:
        await keep(desk, ticket(body=folded))
        assert (await read(desk.api, "tickets/read")).json["data"][0][
            "ticket_details"
        ] == "x" * 100_000


async def test_rows_have_names_alone_when_told(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    async with gateway(fresh_database, broker_url, itflow_positional_keys="off") as desk:
        await keep(desk, ticket())
        row = (await read(desk.api, "tickets/read")).json["data"][0]
        assert list(row)[:3] == ["ticket_id", "ticket_prefix", "ticket_number"]
        assert len(row) == 21


async def test_a_ticket_is_resolved_within_its_client(desk: Desk) -> None:
    acme = (await desk.api.made("/api/v1/clients", {"name": "Acme"}))["id"]
    other = (await desk.api.made("/api/v1/clients", {"name": "Initech"}))["id"]
    of_client = await insert(desk.api, "tickets/create", {"ticket_subject": "s", "client_id": acme})
    of_none = await insert(desk.api, "tickets/create", {"ticket_subject": "s"})
    for values in (
        {},
        {"ticket_id": of_client},
        {"ticket_id": of_client, "client_id": other},
        {"ticket_id": of_client, "client_id": -1},
        {"ticket_id": of_none, "client_id": acme},
        {"ticket_id": 999, "client_id": acme},
        {"ticket_id": [of_client], "client_id": acme},
        {"ticket_id": 1e300, "client_id": acme},
    ):
        answer = await write(desk.api, "tickets/resolve", values)
        assert (answer.status, answer.body) == (200, NOT_UPDATED), values
    values = {"ticket_id": f"{of_client}th", "client_id": str(acme)}
    once = await write(desk.api, "tickets/resolve", values, Idempotency_Key="k")
    assert once.body == UPDATED
    again = await write(desk.api, "tickets/resolve", values)
    assert again.body == NOT_UPDATED
    retried = await write(desk.api, "tickets/resolve", values, Idempotency_Key="k")
    assert (retried.body, retried.headers["Idempotent-Replayed"]) == (UPDATED, "true")
    assert (await write(desk.api, "tickets/resolve", {"ticket_id": of_none})).body == UPDATED
    found = await rows(desk.api, "tickets/read")
    assert [row["ticket_status"] for row in found] == ["Closed", "Closed"]
    assert found[0]["ticket_closed_at"] is not None
    history = partial(desk.api.get, f"/api/v1/tickets/{of_client}/history")
    (item,) = (await eventually(history, lambda told: bool(told.json["data"]))).json["data"]
    assert (item["field"], item["new"]) == ("status", "closed")


async def test_resolve_within_the_client_of_the_key(desk: Desk) -> None:
    acme = (await desk.api.made("/api/v1/clients", {"name": "Acme"}))["id"]
    other = (await desk.api.made("/api/v1/clients", {"name": "Initech"}))["id"]
    mine = await insert(desk.api, "tickets/create", {"ticket_subject": "s", "client_id": acme})
    foreign = await insert(desk.api, "tickets/create", {"ticket_subject": "s", "client_id": other})
    of_none = await insert(desk.api, "tickets/create", {"ticket_subject": "s"})
    bound = await desk.key("tickets:write", client_id=acme)
    for ticket_id, client_id in ((foreign, other), (foreign, 0), (of_none, 0), (of_none, acme)):
        values: dict[str, object] = {"ticket_id": ticket_id, "client_id": client_id}
        assert (await write(bound, "tickets/resolve", values)).body == NOT_UPDATED, values
    assert (await write(bound, "tickets/resolve", {"ticket_id": mine})).body == UPDATED


async def test_creating_again_with_the_same_idempotency_key(desk: Desk) -> None:
    values: dict[str, object] = {"ticket_subject": "s"}
    first = await write(desk.api, "tickets/create", values, Idempotency_Key="k")
    again = await write(desk.api, "tickets/create", values, Idempotency_Key="k")
    assert again.body == first.body == made(1)
    assert again.headers["Idempotent-Replayed"] == "true"
    other = await write(desk.api, "tickets/create", {"ticket_subject": "t"}, Idempotency_Key="k")
    assert other.body == NOT_CREATED
    assert len(await rows(desk.api, "tickets/read")) == 1
