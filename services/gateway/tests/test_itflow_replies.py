"""ITFlow's `ticket_replies/`."""

import asyncio
from dataclasses import dataclass

import pytest
from gateway_api import Api, Desk
from itflow_api import NOT_CREATED, NOTHING, insert, made, read, rows, write

COLUMNS = [
    "ticket_reply_id",
    "ticket_reply",
    "ticket_reply_type",
    "ticket_reply_time_worked",
    "ticket_reply_created_at",
    "ticket_reply_updated_at",
    "ticket_reply_archived_at",
    "ticket_reply_by",
    "ticket_reply_ticket_id",
    "ticket_prefix",
    "ticket_number",
    "ticket_subject",
    "ticket_client_id",
    "ticket_reply_by_name",
]


@dataclass(frozen=True)
class Tickets:
    acme: int
    other: int
    of_acme: int
    of_other: int
    of_none: int


@pytest.fixture
async def tickets(desk: Desk) -> Tickets:
    acme = (await desk.api.made("/api/v1/clients", {"name": "Acme"}))["id"]
    other = (await desk.api.made("/api/v1/clients", {"name": "Initech"}))["id"]

    async def opened(client_id: int) -> int:
        values = {"ticket_subject": "Printer", "client_id": client_id}
        return await insert(desk.api, "tickets/create", values)

    return Tickets(acme, other, await opened(acme), await opened(other), await opened(0))


async def ids(api: Api, query: str = "") -> list[int]:
    return [int(row["ticket_reply_id"]) for row in await rows(api, "ticket_replies/read", query)]


async def test_a_note_and_its_row(desk: Desk, tickets: Tickets) -> None:
    assert (await read(desk.api, "ticket_replies/read")).body == NOTHING
    values = {
        "ticket_id": f"{tickets.of_acme}",
        "client_id": tickets.acme,
        "ticket_reply": "<p>Looked at <em>it</em></p><script>x</script>",
        "ticket_reply_time_worked": "1:15:30",
        "unheard": "of",
    }
    id = await insert(desk.api, "ticket_replies/create", values)
    answer = await read(desk.api, "ticket_replies/read", f"ticket_reply_id={id}")
    row = answer.json["data"][0]
    assert list(row) == [key for place, name in enumerate(COLUMNS) for key in (str(place), name)]
    assert [row[str(place)] for place in range(14)] == [row[name] for name in COLUMNS]
    at = row["ticket_reply_created_at"]
    assert len(at) == len("2026-01-01 00:00:00")
    assert [row[name] for name in COLUMNS] == [
        str(id),
        "<p>Looked at <em>it</em></p>",
        "Internal",
        "01:15:30",
        at,
        None,
        None,
        "0",
        str(tickets.of_acme),
        "TCK-",
        str(tickets.of_acme),
        "Printer",
        str(tickets.acme),
        "all",
    ]
    entries = await desk.api.get(f"/api/v1/tickets/{tickets.of_acme}/entries")
    assert [e["kind"] for e in entries.json["data"]] == ["public", "internal"]


async def test_a_public_reply_of_an_agent_that_closes(desk: Desk, tickets: Tickets) -> None:
    person = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    agent = await desk.key("admin", agent_id=person["id"])
    values = {
        "ticket_id": tickets.of_acme,
        "ticket_reply": "Done",
        "ticket_reply_type": "public",
        "ticket_status": "4",
    }
    await insert(agent, "ticket_replies/create", values)
    [row] = await rows(desk.api, "ticket_replies/read")
    assert (row["ticket_reply_type"], row["ticket_reply_by"]) == ("Public", str(person["id"]))
    assert (row["ticket_reply_by_name"], row["ticket_reply_time_worked"]) == ("Bob", "00:00:00")
    [ticket] = await rows(desk.api, "tickets/read", f"ticket_id={tickets.of_acme}")
    assert (ticket["ticket_status"], ticket["ticket_closed_by"]) == ("Closed", str(person["id"]))
    refused = await write(agent, "ticket_replies/create", values | {"ticket_status": "On Hold"})
    assert refused.body == NOT_CREATED, "a closed ticket is opened first"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("3", "On Hold"),
        (3, "On Hold"),
        ("Working", "Working"),
        ("auto close", "Auto Close"),
        ("9", "Open"),
        ("x", "Open"),
        (None, "Open"),
        ([4], "Open"),
    ],
)
async def test_a_reply_moves_its_ticket(
    desk: Desk, tickets: Tickets, given: object, kept: str
) -> None:
    values = {"ticket_id": tickets.of_none, "ticket_reply": "r", "ticket_status": given}
    await insert(desk.api, "ticket_replies/create", values)
    [ticket] = await rows(desk.api, "tickets/read", f"ticket_id={tickets.of_none}")
    assert ticket["ticket_status"] == kept


@pytest.mark.parametrize("given", ["x", "1:60:00", "1:0:00", "1000:00:00", 5, None, ["1:00:00"]])
async def test_time_that_is_none(desk: Desk, tickets: Tickets, given: object) -> None:
    values = {"ticket_id": tickets.of_none, "ticket_reply": "r"}
    await insert(desk.api, "ticket_replies/create", values | {"ticket_reply_time_worked": given})
    [row] = await rows(desk.api, "ticket_replies/read")
    assert row["ticket_reply_time_worked"] == "00:00:00"


async def test_replies_that_cannot_be_are_refused(desk: Desk, tickets: Tickets) -> None:
    good = {"ticket_id": tickets.of_acme, "ticket_reply": "r"}
    for values in (
        {"ticket_id": None},
        {"ticket_id": 999},
        {"ticket_id": -1},
        {"ticket_id": 10**18},
        {"ticket_reply": " "},
        {"ticket_reply": "0"},
        {"ticket_reply": None},
        {"ticket_reply": ["r"]},
        {"client_id": tickets.other},
        {"client_id": -1},
    ):
        answer = await write(desk.api, "ticket_replies/create", {**good, **values})
        assert (answer.status, answer.body) == (200, NOT_CREATED), values
    assert await ids(desk.api) == []
    assert await insert(desk.api, "ticket_replies/create", good | {"client_id": "0"})


async def test_filters_and_pages(desk: Desk, tickets: Tickets) -> None:
    made_of: list[int] = []
    for ticket_id, kind in (
        (tickets.of_acme, "Public"),
        (tickets.of_other, "Internal"),
        (tickets.of_acme, "Internal"),
        (tickets.of_none, "Client"),
        (tickets.of_other, "Public"),
    ):
        values = {"ticket_id": ticket_id, "ticket_reply": "r"}
        values["ticket_reply_type"] = kind
        made_of.append(await insert(desk.api, "ticket_replies/create", values))
    a, b, c, d, e = made_of
    body = {"kind": "client", "body": "r"}
    f = (await desk.api.made(f"/api/v1/tickets/{tickets.of_none}/entries", body))["id"]
    for query, wanted in {
        "": [a, b, c, d, e, f],
        "limit=2": [a, b],
        "limit=2&offset=3": [d, e],
        "limit=9&offset=6": [],
        "limit=0": [],
        "offset=-1": [],
        f"ticket_id={tickets.of_acme}": [a, c],
        f"ticket_id={tickets.of_acme}&offset=1": [c],
        f"ticket_id={tickets.of_acme}&limit=0": [],
        "ticket_id=": [],
        "ticket_id=999": [],
        "type=Internal": [b, c, d],
        "type=internal&limit=1&offset=1": [c],
        "type=Client": [f],
        "type=x": [],
        f"type=Public&ticket_id={tickets.of_other}": [e],
        f"client_id={tickets.other}": [b, e],
        f"client_id={tickets.other}&offset=1": [e],
        "client_id=0": [d, f],
        f"client_id={tickets.other}&ticket_id={tickets.of_acme}": [],
        f"ticket_reply_id={c}": [c],
        f"ticket_reply_id={c}x&ticket_id={tickets.of_other}": [c],
        f"ticket_reply_id={c}&type=Public": [],
        f"ticket_reply_id={c}&client_id={tickets.other}": [],
        "ticket_reply_id=1": [],  # what a ticket was opened with
        "ticket_reply_id=-1": [],
        "ticket_reply_id=99999999999999999999": [],
    }.items():
        assert await ids(desk.api, query) == wanted, query


async def test_redacted_ones_are_archived(desk: Desk, tickets: Tickets) -> None:
    values = {"ticket_id": tickets.of_acme, "ticket_reply": "secret"}
    one = await insert(desk.api, "ticket_replies/create", values)
    two = await insert(desk.api, "ticket_replies/create", values)
    path = f"/api/v1/tickets/{tickets.of_acme}/entries/{one}"
    assert (await desk.api.call("DELETE", path, None, {})).status == 200
    for query in ("", f"ticket_id={tickets.of_acme}", f"client_id={tickets.acme}"):
        assert await ids(desk.api, query) == [two]
        assert await ids(desk.api, f"{query}&include_archived=0") == [two]
        assert await ids(desk.api, f"{query}&include_archived=1") == [one, two]
    assert await ids(desk.api, f"ticket_reply_id={one}") == []
    query = f"ticket_reply_id={one}&include_archived=1"
    [row] = await rows(desk.api, "ticket_replies/read", query)
    assert row["ticket_reply_archived_at"] is not None
    assert "secret" not in row["ticket_reply"]


async def test_replies_of_a_merged_ticket_are_on_its_target(desk: Desk, tickets: Tickets) -> None:
    values = {"ticket_subject": "s", "client_id": tickets.acme}
    source = await insert(desk.api, "tickets/create", values | {"ticket_details": "the other"})
    reply = {"ticket_id": source, "ticket_reply": "r"}
    await insert(desk.api, "ticket_replies/create", reply)
    merged = await desk.api.post(f"/api/v1/tickets/{source}/merge", {"into": tickets.of_acme})
    assert merged.status == 200, merged.body
    async with asyncio.timeout(10):  # the entries follow the answer
        while await ids(desk.api, f"ticket_id={source}"):
            await asyncio.sleep(0.01)
        while len(await ids(desk.api, f"ticket_id={tickets.of_acme}")) < 2:
            await asyncio.sleep(0.01)
    found = await rows(desk.api, "ticket_replies/read", f"ticket_id={tickets.of_acme}")
    assert {row["ticket_reply"] for row in found} == {"the other", "r"}
    assert {row["ticket_reply_ticket_id"] for row in found} == {str(tickets.of_acme)}


async def test_a_clients_key(desk: Desk, tickets: Tickets) -> None:
    for ticket_id in (tickets.of_acme, tickets.of_other, tickets.of_none):
        for kind in ("Public", "Internal"):
            values = {"ticket_id": ticket_id, "ticket_reply": kind}
            values["ticket_reply_type"] = kind
            await insert(desk.api, "ticket_replies/create", values)
    bound = await desk.key("admin", client_id=tickets.acme)

    async def seen(query: str) -> list[str]:
        found = await rows(bound, "ticket_replies/read", query)
        return [row["ticket_reply"] + row["ticket_reply_ticket_id"] for row in found]

    mine = [f"Public{tickets.of_acme}"]
    assert await seen("") == mine
    assert await seen(f"client_id={tickets.other}") == mine
    assert await seen("client_id=0") == mine
    assert await seen(f"ticket_id={tickets.of_acme}") == mine
    for query in ("type=Internal", f"ticket_id={tickets.of_other}", f"ticket_id={tickets.of_none}"):
        assert await seen(query) == []
    for id in await ids(desk.api):
        assert await seen(f"ticket_reply_id={id}") in ([], mine)

    good: dict[str, object] = {"ticket_id": tickets.of_acme, "ticket_reply": "mine"}
    for wrong in (
        {"ticket_id": tickets.of_other},
        {"ticket_id": tickets.of_other, "client_id": tickets.other},
        {"ticket_id": tickets.of_none, "client_id": 0},
        {"ticket_reply_type": "Internal"},
        {"ticket_status": "5"},
        {"ticket_reply_time_worked": "0:00:01"},
    ):
        answer = await write(bound, "ticket_replies/create", {**good, **wrong})
        assert answer.body == NOT_CREATED, wrong
    await insert(bound, "ticket_replies/create", good | {"client_id": tickets.other})
    [row] = await rows(bound, "ticket_replies/read", "type=Client")
    assert (row["ticket_reply"], row["ticket_reply_by"]) == ("mine", "0")


async def test_again_with_the_same_idempotency_key(desk: Desk, tickets: Tickets) -> None:
    values = {"ticket_id": tickets.of_acme, "ticket_reply": "r"}
    first = await write(desk.api, "ticket_replies/create", values, Idempotency_Key="k")
    again = await write(desk.api, "ticket_replies/create", values, Idempotency_Key="k")
    assert first.body == again.body == made((await ids(desk.api))[0])
    assert len(await ids(desk.api)) == 1
