"""Time worked over HTTP: entries, timers, and what a ticket's sum shows."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from gateway_api import Answer, Api, Desk, eventually

from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.envelope import wrap


async def opened(api: Api, **fields: Any) -> str:
    """The path of a new ticket."""
    values = {"subject": "Printer", "body": "On fire."} | fields
    return f"/api/v1/tickets/{(await api.made('/api/v1/tickets', values))['id']}"


async def agent(desk: Desk, name: str = "Ann") -> tuple[int, Api]:
    """An agent, and calls with its key."""
    values = {"name": name, "email": f"{name.lower()}@example.com"}
    id = (await desk.api.made("/api/v1/agents", values))["id"]
    return id, await desk.key("tickets:read", "tickets:write", "agents:read", agent_id=id)


async def seconds(api: Api, ticket: str) -> int:
    return int((await api.get(ticket)).json["time_worked"])


async def test_time_is_kept_by_its_agent(desk: Desk) -> None:
    (ann, api), ticket = await agent(desk), await opened(desk.api, billable=True)
    made = await api.post(f"{ticket}/time", {"seconds": 600, "note": "Toner."})
    assert (made.status, made.headers["ETag"]) == (201, '"1"'), made.body
    time, place = made.json, made.headers["Location"]
    assert (time["agent"], time["billable"]) == ({"id": ann, "name": "Ann"}, True)
    assert (await api.get(place)).json == time
    assert (await api.get(place, If_None_Match='"1"')).status == 304
    assert await seconds(api, ticket) == 600

    stale = await api.send("PATCH", place, {"seconds": 5}, If_Match='"7"')
    assert (stale.status, stale.json["code"]) == (412, "stale_version")
    changed = await api.send("PATCH", place, {"seconds": 300, "note": None}, If_Match='"1"')
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"'), changed.body
    assert (changed.json["seconds"], changed.json["note"]) == (300, "Toner.")
    assert await seconds(api, ticket) == 300

    removed = await api.call("DELETE", place, None, {})
    assert removed.status == 200
    assert removed.json["deleted_at"]
    assert await seconds(api, ticket) == 0
    assert (await api.get(f"{ticket}/time?total=true")).json == {
        "data": [],
        "next_cursor": None,
        "total": 0,
    }
    for answer in (await api.get(place), await api.call("DELETE", place, None, {})):
        assert answer.status == 404
    history = await eventually(
        lambda: api.get(f"{ticket}/history"), lambda a: len(a.json["data"]) == 3
    )
    told = [(i["old"] and i["old"]["seconds"], i["new"] and i["new"]["seconds"])
            for i in history.json["data"]]  # fmt: skip
    assert told == [(None, 600), (600, 300), (300, None)]


async def test_time_is_listed_in_its_order(desk: Desk) -> None:
    (ann, api), ticket = await agent(desk), await opened(desk.api)
    for day in (3, 1, 2):
        values = {"seconds": day, "started_at": f"2026-03-0{day}T09:00:00+02:00"}
        await api.made(f"{ticket}/time", values)
    await api.made(f"{ticket}/time/start", {})
    first = (await api.get(f"{ticket}/time?limit=2")).json
    assert [each["seconds"] for each in first["data"]] == [1, 2]
    assert first["data"][0]["started_at"] == "2026-03-01T07:00:00Z"
    rest = (await api.get(f"{ticket}/time?limit=2&cursor={first['next_cursor']}")).json
    assert [each["seconds"] for each in rest["data"]] == [3, None]
    newest = (await api.get(f"{ticket}/time?sort=-started_at&limit=1")).json
    assert newest["data"][0]["agent"]["id"] == ann


async def test_who_keeps_whose_time(desk: Desk) -> None:
    (ann, of_ann), (bob, of_bob) = await agent(desk), await agent(desk, "Bob")
    ticket = await opened(desk.api)
    values = {"seconds": 60}
    assert (await of_ann.post(f"{ticket}/time", values | {"agent_id": bob})).status == 403
    nobody = await desk.api.post(f"{ticket}/time", values)
    assert (nobody.status, nobody.json["errors"][0]["field"]) == (422, "agent_id")
    missing = await desk.api.post(f"{ticket}/time", values | {"agent_id": 99})
    assert (missing.status, missing.json["errors"][0]["field"]) == (404, "agent_id")
    time = await desk.api.made(f"{ticket}/time", values | {"agent_id": bob})
    assert time["agent"]["name"] == "Bob"
    place = f"{ticket}/time/{time['id']}"
    assert (await of_ann.send("PATCH", place, {"seconds": 1})).status == 403
    assert (await of_ann.call("DELETE", place, None, {})).status == 403
    assert (await of_bob.send("PATCH", place, {"agent_id": ann})).status == 403
    assert (await desk.api.send("PATCH", place, {"agent_id": ann})).json["agent"]["id"] == ann


async def test_an_agent_has_one_timer(desk: Desk) -> None:
    (ann, api), ticket, other = await agent(desk), await opened(desk.api), await opened(desk.api)
    timer = f"/api/v1/agents/{ann}/timer"
    assert (await api.get(timer)).json == {"timer": None}
    started = await api.call("POST", f"{ticket}/time/start", None, {})  # a body is not needed
    assert (started.status, started.json["seconds"]) == (201, None), started.body
    assert (await api.get(timer)).json == {"timer": started.json}
    assert (await api.get(started.headers["Location"])).json == started.json
    assert await seconds(api, ticket) == 0

    taken = await api.post(f"{other}/time/start", {})
    assert (taken.status, taken.json["code"]) == (409, "conflict")
    assert "TCK-1" in taken.json["detail"]
    switched = await api.post(f"{other}/time/start", {"switch": True, "note": "Next."})
    assert switched.status == 201
    assert (await api.get(timer)).json == {"timer": switched.json}
    first = (await api.get(started.headers["Location"])).json
    assert (first["seconds"], await seconds(api, ticket)) == (1, 1)

    assert (await api.post(f"{ticket}/time/stop", {})).status == 409
    running = await api.send("PATCH", switched.headers["Location"], {"seconds": 60})
    assert running.status == 409
    stopped = await desk.api.post(f"{other}/time/stop", {"agent_id": ann})
    assert (stopped.status, stopped.json["seconds"], stopped.json["note"]) == (200, 1, "Next.")
    assert (await api.post(f"{other}/time/stop", {})).status == 409
    assert (await api.get(timer)).json == {"timer": None}
    assert (await api.get("/api/v1/agents/99/timer")).status == 404


async def test_fifty_starts_at_once(desk: Desk) -> None:
    (_, api), ticket = await agent(desk), await opened(desk.api)
    answers = await asyncio.gather(*(api.post(f"{ticket}/time/start", {}) for _ in range(50)))
    assert Counter(answer.status for answer in answers) == {201: 1, 409: 49}


async def test_a_repeated_key_does_nothing_twice(desk: Desk) -> None:
    (_, api), ticket = await agent(desk), await opened(desk.api)
    for place, values in (("start", {}), ("stop", {"note": "Done."}), ("", {"seconds": 60})):
        path = f"{ticket}/time/{place}".rstrip("/")
        first, again = [await api.post(path, values, Idempotency_Key=f"k{place}") for _ in "12"]
        assert first.body == again.body
        assert again.headers["Idempotent-Replayed"] == "true"
        other = await api.post(path, values | {"note": "Other."}, Idempotency_Key=f"k{place}")
        assert (other.status, other.json["code"]) == (422, "key_reused")
    worked = [each["seconds"] for each in (await api.get(f"{ticket}/time")).json["data"]]
    assert (len(worked), worked.count(60)) == (2, 1)
    assert await seconds(api, ticket) == sum(worked)


async def test_a_reply_brings_its_time(desk: Desk) -> None:
    (ann, api), ticket = await agent(desk), await opened(desk.api, billable=True)
    entry = await api.made(f"{ticket}/entries", {"body": "Done.", "time_worked": 1200})
    (time,) = (await api.get(f"{ticket}/time")).json["data"]
    assert (time["entry_id"], time["seconds"], time["billable"]) == (entry["id"], 1200, True)
    assert time["agent"]["id"] == ann
    place = f"{ticket}/time/{time['id']}"
    await api.send("PATCH", place, {"seconds": 600})
    shown = (await api.get(f"{ticket}/entries/{entry['id']}")).json
    assert (shown["time_worked"], await seconds(api, ticket)) == (600, 600)
    assert (await api.call("DELETE", place, None, {})).status == 200
    shown = (await api.get(f"{ticket}/entries/{entry['id']}")).json
    assert (shown["time_worked"], await seconds(api, ticket)) == (0, 0)


async def test_it_goes_along_with_a_merge(desk: Desk) -> None:
    (_, api), a, b = await agent(desk), await opened(desk.api), await opened(desk.api)
    time = await api.made(f"{a}/time", {"seconds": 60})
    await api.made(f"{a}/time/start", {})
    into = int(b.rpartition("/")[2])
    assert (await api.post(f"{a}/merge", {"into": into})).status == 200

    async def listed(path: str = a) -> Answer:
        return await api.get(f"{path}/time")

    moved = await eventually(listed, lambda answer: len(answer.json["data"]) == 2)
    assert {each["ticket_id"] for each in moved.json["data"]} == {into}
    assert (await listed(b)).json == moved.json
    assert await seconds(api, b) == 60
    assert (await api.get(f"{a}/time/{time['id']}")).json["version"] == 2
    stopped = await api.post(f"{a}/time/stop", {})
    assert (stopped.status, stopped.json["ticket_id"]) == (200, into)
    assert (await api.post(f"{a}/unmerge", None)).status == 200
    await eventually(listed, lambda answer: len(answer.json["data"]) == 2)
    assert (await listed(b)).json["data"] == []
    counted = stopped.json["seconds"]
    assert counted >= 1
    assert (await seconds(api, a), await seconds(api, b)) == (60 + counted, 0)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("seconds", {}),
        ("seconds", {"seconds": 0}),
        ("seconds", {"seconds": 366 * 86_400 + 1}),
        ("seconds", {"seconds": "60"}),
        ("seconds", {"seconds": 1.5}),
        ("started_at", {"seconds": 1, "started_at": "2026-03-01"}),
        ("started_at", {"seconds": 1, "started_at": "2026-03-01T09:00:00"}),
        ("started_at", {"seconds": 1, "started_at": "9999-12-31T23:59:59-12:00"}),
        ("started_at", {"seconds": 1, "started_at": "0001-01-01T00:00:00+14:00"}),
        ("agent_id", {"seconds": 1, "agent_id": 0}),
        ("note", {"seconds": 1, "note": "x" * 5001}),
        ("billable", {"seconds": 1, "billable": None, "price": 1}),
        ("ticket_id", {"seconds": 1, "ticket_id": 2}),
    ],
)
async def test_bad_time_is_refused(desk: Desk, field: str, values: object) -> None:
    (_, api), ticket = await agent(desk), await opened(desk.api)
    refused = await api.post(f"{ticket}/time", values)
    assert refused.status == 422, refused.body
    assert refused.json["errors"][0]["field"] == field.replace("billable", "price")


async def test_a_client_sees_none_of_it(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "Example Client"})
    bound = await desk.key("admin", client_id=client["id"])
    ticket, (ann, _) = await opened(bound), await agent(desk)
    time = await desk.api.made(f"{ticket}/time", {"seconds": 60, "agent_id": ann})
    for method, path, values in (
        ("GET", f"{ticket}/time", None),
        ("POST", f"{ticket}/time", {"seconds": 1, "agent_id": ann}),
        ("GET", f"{ticket}/time/{time['id']}", None),
        ("PATCH", f"{ticket}/time/{time['id']}", {"seconds": 1}),
        ("DELETE", f"{ticket}/time/{time['id']}", None),
        ("POST", f"{ticket}/time/start", {"agent_id": ann}),
        ("POST", f"{ticket}/time/stop", {"agent_id": ann}),
        ("GET", f"/api/v1/agents/{ann}/timer", None),
    ):
        assert (await bound.send(method, path, values)).status == 403, (method, path)


async def test_it_is_told_anew_to_who_lost_it(desk: Desk) -> None:
    (_, api), ticket = await agent(desk), await opened(desk.api)
    kept = await api.made(f"{ticket}/time", {"seconds": 60})
    gone = await api.made(f"{ticket}/time", {"seconds": 60})
    await api.call("DELETE", f"{ticket}/time/{gone['id']}", None, {})
    await desk.database.pool.execute("DELETE FROM time_entries")
    await desk.broker.publish(wrap(ReplayDocuments()))

    async def listed() -> Answer:
        return await api.get(f"{ticket}/time")

    async def removed() -> Answer:
        """Also when events of before the loss come after it."""
        return await api.get(f"{ticket}/time/{gone['id']}")

    await eventually(removed, lambda answer: answer.status == 404)
    await eventually(listed, lambda answer: answer.json["data"] == [kept])
