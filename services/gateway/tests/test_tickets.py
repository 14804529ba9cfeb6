"""Tickets over HTTP: opened by their owner, read from here."""

import csv
from datetime import datetime
from typing import Any

import pytest
from gateway_api import Api, Desk, gateway

from deskwire import db
from deskwire.testing import FreshDatabase
from gateway.readmodel import lists

TICKETS = "/api/v1/tickets"


async def test_ticket_is_opened_and_read_at_once(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    contact = await desk.api.made(
        "/api/v1/contacts",
        {"client_id": client["id"], "name": "Ann", "email": "ann@example.com", "primary": True},
    )
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    opened = await desk.api.post(
        TICKETS,
        {
            "subject": "  Printer\nburns ",
            "body": "It burns",
            "client_id": client["id"],
            "priority": "high",
            "assigned_to": agent["id"],
            "category": "hardware",
            "watchers": ["eve@example.com"],
            "tags": ["fire"],
            "billable": True,
            "due_at": "2030-01-02T03:04:05+01:00",
        },
    )
    assert opened.status == 201, opened.body
    ticket = opened.json
    assert opened.headers["Location"] == f"{TICKETS}/{ticket['id']}"
    assert opened.headers["Idempotency-Key"]
    assert "Idempotent-Replayed" not in opened.headers
    read = await desk.api.get(opened.headers["Location"])
    assert read.status == 200
    assert read.json == ticket
    assert read.headers["ETag"] == opened.headers["ETag"] == f'"{ticket["version"]}"'
    assert read.headers["X-Content-Type-Options"] == "nosniff"
    assert ticket["reference"] == "TCK-1"
    assert ticket["subject"] == "Printer burns"
    assert ticket["body"] == {"text": "It burns", "html": None}
    assert ticket["client"] == {"id": client["id"], "name": "Acme"}
    assert ticket["contact"]["id"] == contact["id"]
    assert ticket["assigned_to"] == {"id": agent["id"], "name": "Bob", "email": "bob@example.com"}
    assert ticket["due_at"] == "2030-01-02T02:04:05Z"
    assert ticket["source"] == "api"
    for reference in ("TCK-1", "tck-1", "1"):
        assert (await desk.api.get(f"{TICKETS}/by-number/{reference}")).json == ticket
    for reference in ("TCK", "TCK-2", "TCK-11", "XTCK-1", "01", "9" * 30):
        assert (await desk.api.get(f"{TICKETS}/by-number/{reference}")).status == 404


async def test_the_source_is_what_it_came_by(desk: Desk) -> None:
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "b@example.com"})
    of_agent = await desk.key("tickets:write", agent_id=agent["id"])
    values = {"subject": "s", "body": "b"}
    for api, told, source in (
        (desk.api, {}, "api"),
        (of_agent, {}, "agent"),
        (desk.api, {"source": "portal"}, "portal"),
    ):
        ticket = await api.made(TICKETS, values | told)
        assert ticket["source"] == source
        found = (await desk.api.get(f"{TICKETS}?source={source}")).json["data"]
        assert [each["id"] for each in found] == [ticket["id"]]
    assert (await desk.api.post(TICKETS, values | {"source": "email"})).status == 422


async def test_html_is_cleaned_and_has_a_text(desk: Desk) -> None:
    body = '<p onclick="x()">Hello</p><script>alert(1)</script><p>World</p>'
    ticket = await desk.api.made(TICKETS, {"subject": "s", "body": body})
    assert ticket["body"] == {"text": "Hello\n\nWorld", "html": "<p>Hello</p><p>World</p>"}


async def test_large_body_comes_back_whole(desk: Desk) -> None:
    large = "0123456789" * 20_000
    ticket = await desk.api.made(TICKETS, {"subject": "s", "body": large})
    assert ticket["body"] == {"text": large, "html": None}
    place = f"{TICKETS}/{ticket['id']}"
    assert (await desk.api.get(place)).json == ticket
    assert (await desk.api.get(f"{TICKETS}/by-number/TCK-1")).json == ticket
    listed = (await desk.api.get(TICKETS)).json["data"][0]["body"]
    assert listed["truncated"] is True
    assert large.startswith(listed["text"])
    entry = (await desk.api.get(f"{place}/entries")).json["data"][0]
    assert entry["body"] == {"text": large, "html": None, "quoted": "", "signature": ""}
    assert (await desk.api.get(f"{place}/entries/{entry['id']}")).json == entry


async def test_who_has_it_already_gets_304(desk: Desk) -> None:
    ticket = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    place, etag = f"{TICKETS}/{ticket['id']}", f'"{ticket["version"]}"'
    for wanted in (etag, f'W/{etag}, "999"', "*"):
        answer = await desk.api.get(place, If_None_Match=wanted)
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
    assert (await desk.api.get(place, If_None_Match='"999"')).status == 200


async def test_what_is_not_there_is_404(lonely_desk: Desk) -> None:
    for place in ("77", "9" * 20, "by-number/TCK-77", "by-number/%00", "x", "77/entries"):
        answer = await lonely_desk.api.get(f"{TICKETS}/{place}")
        assert (answer.status, answer.json["code"]) == (404, "not_found"), place
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.json["trace_id"]) == 32


async def test_reply_and_note(desk: Desk) -> None:
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    bob = await desk.key("tickets:read", "tickets:write", agent_id=agent["id"])
    ticket = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    place = f"{TICKETS}/{ticket['id']}"
    reply = await bob.made(
        f"{place}/entries", {"body": "Done", "status": "hold", "time_worked": 90}
    )
    note = await bob.made(f"{place}/entries", {"body": "Odd", "kind": "internal"})
    assert reply["kind"] == "public"
    assert reply["author"] == {
        "type": "agent",
        "id": agent["id"],
        "name": "Bob",
        "email": "bob@example.com",
    }
    assert note["kind"] == "internal"
    after = (await desk.api.get(place)).json
    assert (after["status"], after["time_worked"], after["entry_count"]) == ("hold", 90, 3)
    timeline = (await desk.api.get(f"{place}/entries?total=true")).json
    assert timeline["total"] == 3
    assert [entry["body"]["text"] for entry in timeline["data"]] == ["b", "Done", "Odd"]
    assert timeline["data"][1:] == [reply, note]


async def test_entry_of_another_ticket_is_not_found(desk: Desk) -> None:
    one = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    two = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    entry = (await desk.api.get(f"{TICKETS}/{one['id']}/entries")).json["data"][0]
    assert (await desk.api.get(f"{TICKETS}/{two['id']}/entries/{entry['id']}")).status == 404


async def test_reply_to_nothing_is_404(desk: Desk) -> None:
    answer = await desk.api.post(f"{TICKETS}/5/entries", {"body": "b"})
    assert (answer.status, answer.json["code"]) == (404, "not_found")


class Backlog:
    """Nine tickets of two clients and one agent."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.clients: list[int] = []

    async def fill(self) -> None:
        agent = await self.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
        for name in ("Acme", "Initech"):
            client = await self.api.made("/api/v1/clients", {"name": name})
            self.clients.append(client["id"])
        for n in range(9):
            ticket = await self.api.made(
                TICKETS,
                {
                    "subject": f"s{n}",
                    "body": "b",
                    "client_id": self.clients[n % 2],
                    "priority": ("low", "medium", "high")[n % 3],
                    "assigned_to": agent["id"] if n < 4 else None,
                    "category": "Hard ware" if n == 5 else None,
                    "tags": [f"tag{n % 4}"],
                },
            )
            if n == 8:
                await self.api.made(
                    f"{TICKETS}/{ticket['id']}/entries", {"body": "b", "status": "closed"}
                )

    async def numbers(self, query: str, path: str = TICKETS) -> list[int]:
        answer = await self.api.get(f"{path}?{query}")
        assert answer.status == 200, answer.body
        return [ticket["number"] for ticket in answer.json["data"]]


@pytest.fixture
async def backlog(desk: Desk) -> Backlog:
    backlog = Backlog(desk.api)
    await backlog.fill()
    return backlog


async def test_lists_are_narrowed_by_every_field(backlog: Backlog) -> None:
    one, two = backlog.clients
    assert await backlog.numbers("") == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert await backlog.numbers("sort=number") == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert await backlog.numbers("status=closed") == [9]
    assert await backlog.numbers("status=open,working&priority=high") == [6, 3]
    assert await backlog.numbers("priority=high&priority=medium") == [9, 8, 6, 5, 3, 2]
    assert await backlog.numbers(f"client_id={one}") == [9, 7, 5, 3, 1]
    assert await backlog.numbers(f"client_id={one},{two}&limit=2") == [9, 8]
    assert await backlog.numbers("assigned_to=none") == [9, 8, 7, 6, 5]
    assert await backlog.numbers("assigned_to=1") == [4, 3, 2, 1]
    assert len(await backlog.numbers("assigned_to=1,none")) == 9
    assert await backlog.numbers("source=email") == []
    assert await backlog.numbers("contact_id=1") == []
    assert await backlog.numbers("asset_id=1") == []
    assert await backlog.numbers("tag=tag0") == [9, 5, 1]
    assert await backlog.numbers("tag=TAG0,tag3&priority=high") == [9]
    assert await backlog.numbers("tag=tag0&tag=tag3&priority=low") == [4, 1]
    assert await backlog.numbers("category=hard%20ware") == [6]
    assert await backlog.numbers("category=soft%20ware") == []
    assert await backlog.numbers("priority=low", f"/api/v1/clients/{two}/tickets") == [4]


async def test_by_when_they_are_due(backlog: Backlog) -> None:
    for number, day in ((2, 3), (5, 1), (7, 2)):
        path = f"{TICKETS}/{number}"
        change = {"due_at": f"2100-01-0{day}T00:00:00Z"}
        changed = await backlog.api.send("PATCH", path, change, If_Match='"1"')
        assert changed.json["due_at"] == change["due_at"]
    assert await backlog.numbers("sort=due_at") == [5, 7, 2]
    assert await backlog.numbers("sort=-due_at&status=open") == [2, 7, 5]
    assert await backlog.numbers("due_before=2100-01-03T00:00:00Z") == [5, 7]
    assert await backlog.numbers("due_after=2100-01-01T00:00:00Z&sort=number") == [2, 7]
    page = (await backlog.api.get(f"{TICKETS}?sort=due_at&limit=2&total=true")).json
    assert page["total"] == 3
    assert await backlog.numbers(f"sort=due_at&cursor={page['next_cursor']}") == [2]


async def test_bounds_of_time(backlog: Backlog) -> None:
    tickets = (await backlog.api.get(f"{TICKETS}?sort=number")).json["data"]
    fifth = tickets[4]["created_at"]
    assert await backlog.numbers(f"created_after={fifth}") == [9, 8, 7, 6]
    assert await backlog.numbers(f"created_before={fifth}") == [4, 3, 2, 1]
    last = tickets[8]["created_at"]
    assert datetime.fromisoformat(tickets[8]["updated_at"]) > datetime.fromisoformat(last)
    assert await backlog.numbers(f"updated_after={last}") == [9]
    assert await backlog.numbers(f"updated_before={last}&limit=1") == [8]


async def test_pages_leave_nothing_out(backlog: Backlog) -> None:
    for sort in ("number", "created_at", "updated_at"):
        assert await walk(backlog.api, sort) == [[1, 2], [3, 4], [5, 6], [7, 8], [9]]
        assert await walk(backlog.api, f"-{sort}") == [[9, 8], [7, 6], [5, 4], [3, 2], [1]]
    assert await walk(backlog.api, "priority") == [[1, 4], [7, 2], [5, 8], [3, 6], [9]]
    assert await walk(backlog.api, "-priority") == [[9, 6], [3, 8], [5, 2], [7, 4], [1]]
    assert await walk(backlog.api, "status") == [[1, 2], [3, 4], [5, 6], [7, 8], [9]]
    assert await walk(backlog.api, "-status") == [[9, 8], [7, 6], [5, 4], [3, 2], [1]]


async def test_ranks_with_filters(backlog: Backlog) -> None:
    assert await backlog.numbers("sort=priority&priority=high,low") == [1, 4, 7, 3, 6, 9]
    assert await backlog.numbers("sort=-priority&priority=medium&limit=2") == [8, 5]
    assert await backlog.numbers("sort=-status&status=closed,hold,open&tag=tag0") == [9, 5, 1]
    assert await backlog.numbers("sort=status&assigned_to=1&priority=low") == [1, 4]


async def test_more_is_not_counted(backlog: Backlog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "COUNTED", 8)
    for query, total in (("", None), ("client_id=1", 5), ("priority=high", 3)):
        answer = await backlog.api.get(f"{TICKETS}?total=true&limit=1&{query}")
        assert answer.json["total"] == total


async def walk(api: Api, sort: str) -> list[list[int]]:
    pages, query = [], f"limit=2&sort={sort}&total=true"
    cursor: str | None = ""
    while cursor is not None:
        answer = await api.get(f"{TICKETS}?{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.json["total"] == 9
        pages.append([ticket["number"] for ticket in answer.json["data"]])
        cursor = answer.json["next_cursor"]
    return pages


async def test_full_last_page_has_no_next(backlog: Backlog) -> None:
    answer = await backlog.api.get(f"{TICKETS}?limit=9")
    assert len(answer.json["data"]) == 9
    assert answer.json["next_cursor"] is None
    assert answer.json["total"] is None


async def test_foreign_cursors_are_malformed(backlog: Backlog) -> None:
    cursor = (await backlog.api.get(f"{TICKETS}?limit=1")).json["next_cursor"]
    assert (await backlog.api.get(f"{TICKETS}?limit=1&cursor={cursor}")).status == 200
    for query in (
        f"sort=number&cursor={cursor}",
        "cursor=x",
        "cursor=%C3%A9",
        "cursor=bnVsbA==",
        "cursor=WyItbnVtYmVyIiwieCIsMV0=",
        "cursor=WyItbnVtYmVyIiwgMWUzMDAsIDFd",
        "cursor=WyItbnVtYmVyIiwgOTk5OTk5OTk5OTk5OTk5OTk5OTk5LCAxXQ==",
        "cursor=WyItbnVtYmVyIiwgIjIwMjQtMDEtMDFUMDA6MDA6MDBaIiwgMV0=",
        "sort=-priority&cursor=WyItcHJpb3JpdHkiLDEsMV0=",
        "sort=-priority&cursor=WyItcHJpb3JpdHkiLDEsMSwidXJnZW50Il0=",
        "cursor=WyItbnVtYmVyIiwxLDEsImxvdyJd",
    ):
        answer = await backlog.api.get(f"{TICKETS}?{query}")
        assert (answer.status, answer.json["code"]) == (400, "malformed"), query


BAD_PARAMETERS = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=ten", "limit"),
    ("limit=1&limit=2", "limit"),
    ("sort=subject", "sort"),
    ("status=new", "status"),
    ("status=open,new", "status"),
    ("client_id=0", "client_id"),
    ("assigned_to=nobody", "assigned_to"),
    ("created_after=yesterday", "created_after"),
    ("created_after=2024-01-01T00:00:00", "created_after"),
    ("created_after=0001-01-01T00:00:00%2B14:00", "created_after"),
    ("colour=red", "colour"),
]


async def test_bad_parameters_are_named(lonely_desk: Desk) -> None:
    for query, field in BAD_PARAMETERS:
        answer = await lonely_desk.api.get(f"{TICKETS}?{query}")
        assert (answer.status, answer.json["code"]) == (422, "invalid"), query
        assert answer.json["errors"][0]["field"] == field, query


async def test_largest_limit_is_fine(lonely_desk: Desk) -> None:
    assert (await lonely_desk.api.get(f"{TICKETS}?limit=200")).json["data"] == []


BAD_FIELDS: list[tuple[dict[str, object], str]] = [
    ({"subject": ""}, "subject"),
    ({"subject": " \t"}, "subject"),
    ({"subject": "s" * 501}, "subject"),
    ({"subject": 5}, "subject"),
    ({"subject": "\ud800"}, "subject"),
    ({"body": "\x00"}, "body"),
    ({"body": None}, "body"),
    ({"priority": "urgent"}, "priority"),
    ({"client_id": "1"}, "client_id"),
    ({"client_id": True}, "client_id"),
    ({"client_id": 2**63}, "client_id"),
    ({"watchers": ["nobody"]}, "watchers.0"),
    ({"due_at": "2030-01-01"}, "due_at"),
    ({"status": "closed"}, "status"),
    ({"colour": "red"}, "colour"),
]


async def test_bad_fields_are_named(lonely_desk: Desk) -> None:
    for change, field in BAD_FIELDS:
        answer = await lonely_desk.api.post(TICKETS, {"subject": "s", "body": "b"} | change)
        assert (answer.status, answer.json["code"]) == (422, "invalid"), change
        assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_longest_subject_is_kept(desk: Desk) -> None:
    ticket = await desk.api.made(TICKETS, {"subject": "é" * 500, "body": "a\x00b"})
    assert ticket["subject"] == "é" * 500
    assert ticket["body"]["text"] == "ab"


async def test_unknown_client_is_told_with_its_field(desk: Desk) -> None:
    answer = await desk.api.post(TICKETS, {"subject": "s", "body": "b", "client_id": 9})
    assert (answer.status, answer.json["code"]) == (404, "not_found")


async def test_a_list_that_takes_too_long_harms_no_other(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    """Here for a lock; a search for words that are everywhere is ended the same way."""
    url = fresh_database("gateway")
    async with db.connect(url, size=1) as database:
        name = url.rpartition("/")[2]
        await database.pool.execute(f"ALTER DATABASE \"{name}\" SET statement_timeout = '300ms'")
        async with (
            gateway(fresh_database, broker_url, database_url=url) as desk,
            database.transaction() as other,
        ):
            await other.connection.execute("LOCK TABLE tickets")
            answer = await desk.api.get("/api/v1/tickets")
            assert (answer.status, answer.json["code"]) == (503, "unavailable")
            assert "took too long" in answer.json["detail"]
            assert (await desk.api.get("/api/v1/clients")).status == 200


async def test_a_clients_key_sees_neither_time_nor_that_there_are_notes(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    bob = await desk.key("admin", agent_id=agent["id"])
    bound = await desk.key("tickets:read", "tickets:write", client_id=client["id"])
    values = {"subject": "s", "body": "b", "client_id": client["id"]}
    ticket = await bob.made("/api/v1/tickets", values)
    assert ticket["source"] == "agent"
    path = f"/api/v1/tickets/{ticket['id']}"
    for kind in ("internal", "public"):
        await bob.made(f"{path}/entries", {"kind": kind, "body": "x", "time_worked": 60})

    def told(document: Any) -> tuple[int, int]:
        return document["entry_count"], document["time_worked"]

    assert told((await bob.get(path)).json) == (3, 120)
    for place in (path, f"/api/v1/tickets/by-number/{ticket['reference']}"):
        assert told((await bound.get(place)).json) == (2, 0)
    for place in ("/api/v1/tickets", f"/api/v1/clients/{client['id']}/tickets"):
        assert told((await bound.get(place)).json["data"][0]) == (2, 0)
    assert told((await bound.post(f"{path}/close", None)).json) == (2, 0)
    [line] = csv.DictReader((await bound.get("/api/v1/tickets/export.csv")).body.decode().split())
    assert (line["entry_count"], line["time_worked"]) == ("2", "0")
    entries = (await bound.get(f"{path}/entries")).json["data"]
    assert [entry["time_worked"] for entry in entries] == [0, 0]
    entry = (await bound.get(f"{path}/entries/{entries[1]['id']}")).json
    assert entry == entries[1]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"subject": 5}, "must be a text"),
    ({"client_id": "1"}, "must be a whole number"),
    ({"client_id": 0}, "must be 1 or more"),
    ({"tags": "t"}, "must be a list"),
    ({"billable": "yes"}, "must be true or false"),
    ({"priority": "x"}, "must be low, medium or high"),
    (
        {"due_at": "2026-01-01T00:00:00"},
        "must have a time zone, as the Z of 2026-03-02T09:00:00Z",
    ),
    ({"subject": "x" * 501}, "must have at most 500 characters"),
    ({"subject": ""}, "must not be empty"),
    ({"body": " \n"}, "must not be empty"),
    ({"body": '<p class="x"><br/></p> <div>&nbsp;</div>'}, "must not be empty"),
    ({"due_at": "tomorrow"}, "must be written as 2026-03-02T09:00:00Z"),
    ({"contact_id": 99}, "there is no contact 99"),
    ({"asset_ids": [99]}, "there is no asset 99"),
    ({"colour": "red"}, "unknown field"),
]


async def test_refusals_say_in_words_what_is_wrong(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    good = {"subject": "s", "body": "b", "client_id": client["id"]}
    for wrong, message in WRONG:
        refused = await desk.api.post(TICKETS, good | wrong)
        assert refused.json["errors"] == [{"field": next(iter(wrong)), "message": message}]
    refused = await desk.api.post(TICKETS, None)
    message = "the request must have a JSON object as its body"
    assert refused.json["errors"] == [{"field": "body", "message": message}]
    for action, field, message in (
        ({}, "action", "is required"),
        ({"action": "x"}, "action", "must be one of assign, close, reopen"),
    ):
        refused = await desk.api.post(f"{TICKETS}/bulk", {"ids": [1]} | action)
        (error,) = refused.json["errors"]
        assert error["field"] == field
        assert error["message"].startswith(message)
    listed = await desk.api.get(f"{TICKETS}?assigned_to=me")
    assert listed.json["errors"] == [{"field": "assigned_to", "message": "must be a whole number"}]
