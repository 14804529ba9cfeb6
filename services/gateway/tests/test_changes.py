"""Tickets changed over HTTP: fields, status, assignment, parts, notes, merges, many at once."""

import asyncio
from typing import Any

import pytest
from gateway_api import Answer, Api, Desk, eventually


async def opened(api: Api, **fields: Any) -> Any:
    return await api.made("/api/v1/tickets", {"subject": "Printer", "body": "On fire."} | fields)


async def patch(api: Api, path: str, values: object, **headers: str) -> Answer:
    return await api.send("PATCH", path, values, **headers)


async def agents(api: Api) -> Any:
    return await api.made("/api/v1/agents", {"name": "Ann", "email": "ann@example.com"})


async def test_fields_are_changed_by_who_has_seen_them(desk: Desk) -> None:
    api = desk.api
    ticket = await opened(api)
    path = f"/api/v1/tickets/{ticket['id']}"
    assert (await patch(api, path, {"subject": "x"})).status == 428
    changed = await patch(
        api, path, {"subject": "New", "priority": "high", "tags": ["a"]}, If_Match='"1"'
    )
    assert changed.status == 200
    assert changed.headers["ETag"] == '"2"'
    assert (changed.json["subject"], changed.json["priority"]) == ("New", "high")
    assert (await api.get(path)).json == changed.json
    stale = await patch(api, path, {"subject": "Late"}, If_Match='"1"')
    assert (stale.status, stale.json["code"]) == (412, "stale_version")
    assert (await patch(api, path, {}, If_Match='"2"')).headers["ETag"] == '"2"'


async def test_fifty_at_once_and_one_wins(desk: Desk) -> None:
    ticket = await opened(desk.api)
    path = f"/api/v1/tickets/{ticket['id']}"
    answers = await asyncio.gather(
        *(patch(desk.api, path, {"subject": f"s{n}"}, If_Match='"1"') for n in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200, *[412] * 49]


async def test_null_takes_back_what_can_be_missing(desk: Desk) -> None:
    ticket = await opened(desk.api, category="c", due_at="2030-01-01T00:00:00Z")
    path = f"/api/v1/tickets/{ticket['id']}"
    values = {"category": None, "due_at": None, "subject": None, "tags": None}
    changed = await patch(desk.api, path, values, If_Match='"1"')
    assert (changed.json["category"], changed.json["due_at"]) == (None, None)
    assert changed.json["subject"] == "Printer"


@pytest.mark.parametrize(
    "values",
    [
        {"status": "closed"},
        {"status": "resolved"},
        {"subject": ""},
        {"subject": "x" * 501},
        {"priority": "urgent"},
        {"contact_id": 0},
        {"contact_id": "1"},
        {"tags": "a"},
        {"tags": ["a"] * 51},
        {"due_at": "2030-01-01"},
        {"due_at": "0001-01-01T00:00:00+14:00"},
        {"number": 7},
        [],
        None,
    ],
)
async def test_bad_changes_are_refused(desk: Desk, values: object) -> None:
    ticket = await opened(desk.api)
    refused = await patch(desk.api, f"/api/v1/tickets/{ticket['id']}", values, If_Match='"1"')
    assert refused.status == 422, refused.body
    assert refused.json["errors"]


async def test_status_and_assignment(desk: Desk) -> None:
    api, agent = desk.api, await agents(desk.api)
    path = f"/api/v1/tickets/{(await opened(api))['id']}"
    assigned = await api.post(f"{path}/assign", {"agent_id": agent["id"]})
    assert assigned.json["assigned_to"]["name"] == "Ann"
    assert (await api.post(f"{path}/assign", {"agent_id": 99})).status == 404
    assert (await api.post(f"{path}/assign", {})).status == 422
    nobody = await api.post(f"{path}/assign", {"agent_id": None})
    assert nobody.json["assigned_to"] is None
    for action in ("hold", "auto-close"):
        moved = await api.post(f"{path}/{action}", None)
        assert (moved.status, moved.json["status"]) == (200, action), moved.body
    closed = await api.post(f"{path}/close", None)
    assert (closed.json["status"], bool(closed.json["closed_at"])) == ("closed", True)
    assert (await api.post(f"{path}/hold", None)).status == 409
    assert (await api.post(f"{path}/close", None, If_Match='"1"')).status == 412
    reopened = await api.post(f"{path}/reopen", None)
    assert (reopened.json["status"], reopened.json["closed_at"]) == ("open", None)
    history = await eventually(
        lambda: api.get(f"{path}/history"), lambda a: len(a.json["data"]) == 6
    )
    first, last = history.json["data"][0], history.json["data"][-1]
    assert (first["field"], first["old"], first["new"]["name"]) == ("assigned_to", None, "Ann")
    assert (last["old"], last["new"], last["through"]["type"]) == ("closed", "open", "key")


async def test_a_ticket_of_nobody_is_given_to_a_client_and_an_agent(desk: Desk) -> None:
    api, agent = desk.api, await agents(desk.api)
    client = await api.made("/api/v1/clients", {"name": "Acme"})
    bound = await desk.key("tickets:read", client_id=client["id"])
    path = f"/api/v1/tickets/{(await opened(api))['id']}"
    await api.made(f"{path}/entries", {"kind": "internal", "body": "Who is it?"})
    assert (await bound.get(path)).status == 404
    given = {"client_id": client["id"], "assigned_to": agent["id"]}
    changed = await patch(api, path, given, If_Match="*")
    assert changed.status == 428
    version = (await api.get(path)).headers["ETag"]
    changed = await patch(api, path, given, If_Match=version)
    assert (changed.json["client"]["name"], changed.json["assigned_to"]["name"]) == ("Acme", "Ann")
    assert (await bound.get(path)).json["client"] == changed.json["client"]
    found = f"/api/v1/clients/{client['id']}/tickets?q=printer"
    await eventually(lambda: bound.get(found), lambda a: len(a.json["data"]) == 1)
    assert [e["kind"] for e in (await bound.get(f"{path}/entries")).json["data"]] == ["public"]
    refused = await patch(api, path, {"client_id": 99}, If_Match=changed.headers["ETag"])
    assert (refused.status, refused.json["errors"][0]["field"]) == (409, "client_id")


async def test_the_closing_is_put_off(desk: Desk) -> None:
    path = f"/api/v1/tickets/{(await opened(desk.api))['id']}/auto-close"
    begun = (await desk.api.post(path, None)).json["auto_close"]
    later = await desk.api.post(path, {"hours": 96})
    assert later.json["auto_close"]["closes_at"] > begun["closes_at"]
    for hours in (0, 8785, "96", None):
        assert (await desk.api.post(path, {"hours": hours})).status == 422


async def test_watchers_assets_and_tags_are_read_and_replaced(desk: Desk) -> None:
    api, path = desk.api, f"/api/v1/tickets/{(await opened(desk.api))['id']}"
    assert (await api.get(f"{path}/watchers")).json == {"watchers": []}
    put = await api.send("PUT", f"{path}/watchers", {"watchers": ["w@example.com"]}, If_Match='"1"')
    assert (put.json, put.headers["ETag"]) == ({"watchers": ["w@example.com"]}, '"2"')
    assert (await api.get(f"{path}/watchers")).json == put.json
    tags = await api.send("PUT", f"{path}/tags", {"tags": ["a", "b"]}, If_Match='"2"')
    assert tags.json == {"tags": ["a", "b"]}
    assert (await api.send("PUT", f"{path}/tags", {"tags": []})).status == 428
    assert (await api.get(f"{path}/assets")).json == {"assets": []}
    assert (await api.get(f"{path}/tags", If_None_Match='"3"')).status == 304


async def test_watchers_are_there_once_in_the_order_they_came(desk: Desk) -> None:
    told = {"subject": "s", "body": "b", "watchers": ["d@x.test", "c@x.test", "D@x.test"]}
    ticket = await desk.api.made("/api/v1/tickets", told)
    assert ticket["watchers"] == ["d@x.test", "c@x.test"]
    place = f"/api/v1/tickets/{ticket['id']}"
    added = ["f@x.test", "C@x.test", "b@x.test", "e@x.test", "a@x.test", "F@x.test"]
    await desk.api.made(f"{place}/entries", {"body": "b", "cc": added})
    joined = ["d@x.test", "c@x.test", "f@x.test", "b@x.test", "e@x.test", "a@x.test"]
    assert (await desk.api.get(f"{place}/watchers")).json == {"watchers": joined}


async def test_tags_are_there_once_whatever_their_case(desk: Desk) -> None:
    told = {"subject": "s", "body": "b", "tags": ["VIP", " vip ", "net", "Net", "VIP"]}
    ticket = await desk.api.made("/api/v1/tickets", told)
    assert ticket["tags"] == ["VIP", "net"]
    path = f"/api/v1/tickets/{ticket['id']}/tags"
    assert (await desk.api.send("PUT", path, {"tags": ["b", "b "]}, If_Match='"1"')).json == {
        "tags": ["b"]
    }


async def test_notes_are_edited_and_redacted(desk: Desk) -> None:
    api, path = desk.api, f"/api/v1/tickets/{(await opened(desk.api))['id']}"
    note = await api.made(f"{path}/entries", {"kind": "internal", "body": "A secret."})
    place = f"{path}/entries/{note['id']}"
    edited = await patch(api, place, {"body": "A better secret."})
    assert edited.json["body"]["text"] == "A better secret."
    assert edited.json["edited_at"]
    assert (await patch(api, place, {"body": "x"}, If_Match='"1"')).status == 412
    public = await api.made(f"{path}/entries", {"body": "Hello."})
    assert (await patch(api, f"{path}/entries/{public['id']}", {"body": "x"})).status == 403
    redacted = await api.send("DELETE", place, None)
    assert (redacted.status, redacted.json["body"]["text"]) == (200, "")
    assert redacted.json["redacted_at"]
    assert redacted.json["redacted_by"]["type"] == "system"
    assert (await api.get(place)).json == redacted.json
    assert b"secret" not in (await api.get(f"{path}/entries")).body


async def test_two_tickets_are_merged_and_unmerged(desk: Desk) -> None:
    api = desk.api
    a, b = await opened(api, body="first"), await opened(api, body="second")
    into = {"into": b["id"], "reason": "the same"}
    merged = await api.post(f"/api/v1/tickets/{a['id']}/merge", into)
    assert merged.status == 200, merged.body
    assert merged.json["source"]["merged_into"] == b["id"]
    assert merged.json["target"]["merged_from"] == [a["id"]]
    for id in (a["id"], b["id"]):  # the timeline of both is that of the target
        found = await api.get(f"/api/v1/tickets/{id}/entries")
        origins = [entry["origin_ticket_id"] for entry in found.json["data"]]
        assert origins == [a["id"], b["id"]]
    entry = await api.made(f"/api/v1/tickets/{a['id']}/entries", {"body": "more"})
    assert entry["ticket_id"] == b["id"]
    again = await api.post(f"/api/v1/tickets/{a['id']}/merge", into)
    assert (again.status, again.json["code"]) == (409, "conflict")
    assert (await api.post(f"/api/v1/tickets/{b['id']}/merge", {"into": b["id"]})).status == 422
    apart = await api.post(f"/api/v1/tickets/{b['id']}/unmerge", None)
    assert apart.json["source"]["merged_into"] is None
    assert apart.json["source"]["status"] == "open"
    alone = await api.get(f"/api/v1/tickets/{a['id']}/entries")
    assert [entry["body"]["text"] for entry in alone.json["data"]] == ["first"]
    assert (await api.post(f"/api/v1/tickets/{b['id']}/unmerge", None)).status == 409


async def test_many_at_once(desk: Desk) -> None:
    api = desk.api
    ids = [(await opened(api))["id"] for _ in range(3)]
    done = await api.post(
        "/api/v1/tickets/bulk",
        {"ids": [*ids, ids[0], 999], "action": "priority", "priority": "high"},
    )
    assert done.status == 200, done.body
    results = done.json["results"]
    assert [(r["id"], r["status"]) for r in results] == [*((i, 200) for i in ids), (999, 404)]
    assert results[-1]["code"] == "not_found"
    key = {"Idempotency_Key": "one"}
    first = await api.post("/api/v1/tickets/bulk", {"ids": ids, "action": "close"}, **key)
    second = await api.post("/api/v1/tickets/bulk", {"ids": ids, "action": "close"}, **key)
    assert first.json == second.json
    assert second.headers["Idempotent-Replayed"] == "true"
    for other in ({"ids": [*ids, 999], "action": "close"}, {"ids": ids, "action": "reopen"}):
        assert (await api.post("/api/v1/tickets/bulk", other, **key)).json["code"] == "key_reused"
    merge = {"ids": ids[:2], "action": "merge", "into": ids[2]}
    refused = await api.post("/api/v1/tickets/bulk", merge)
    assert [r["status"] for r in refused.json["results"]] == [409, 409]
    for bad in ({"ids": ids, "action": "explode"}, {"ids": [], "action": "close"}, {"ids": ids}):
        assert (await api.post("/api/v1/tickets/bulk", bad)).status == 422


async def test_many_that_are_merged_are_shown_at_once(desk: Desk) -> None:
    ids = [(await opened(desk.api))["id"] for _ in range(5)]
    merge = {"ids": ids[1:], "action": "merge", "into": ids[0]}
    done = await desk.api.post("/api/v1/tickets/bulk", merge)
    found = await desk.api.get(f"/api/v1/tickets/{ids[0]}/entries")
    assert [result["status"] for result in done.json["results"]] == [200] * 4
    assert [entry["origin_ticket_id"] for entry in found.json["data"]] == ids


async def test_what_a_bound_key_may(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Example Client"})
    bound = await desk.key("tickets:read", "tickets:write", client_id=client["id"])
    other = await opened(desk.api)
    mine = await opened(bound)
    path = f"/api/v1/tickets/{mine['id']}"
    closed = await bound.post(f"{path}/close", None)
    assert closed.json["closed_by"]["type"] == "contact"
    assert (await bound.post(f"{path}/reopen", None)).status == 200
    for method, place, values in (
        ("PATCH", path, {"subject": "x"}),
        ("POST", f"{path}/assign", {"agent_id": None}),
        ("POST", f"{path}/hold", None),
        ("POST", f"{path}/merge", {"into": other["id"]}),
        ("POST", f"{path}/unmerge", None),
        ("PUT", f"{path}/watchers", {"watchers": []}),
        ("GET", f"{path}/history", None),
        ("POST", "/api/v1/tickets/bulk", {"ids": [mine["id"]], "action": "close"}),
    ):
        assert (await bound.send(method, place, values, If_Match='"3"')).status == 403, place
    assert (await bound.post(f"/api/v1/tickets/{other['id']}/close", None)).status == 404
