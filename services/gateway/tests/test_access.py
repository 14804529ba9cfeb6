"""Who may do what: keys, scopes, and keys that are bound to a client or an agent."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway_api import Api, Desk

from deskwire.contracts.people import ClientChanged
from deskwire.contracts.records import Client
from deskwire.errors import Invalid, NotFound
from deskwire.links import PURPOSES
from deskwire.messaging.envelope import wrap
from gateway.api.app import _application
from gateway.api.auth import Route
from gateway.keys import SCOPES, KeyRing, create_key, list_keys, revoke_key

TICKETS = "/api/v1/tickets"
PUBLIC = {"/api/v1/openapi.json", "/docs", "/livez", "/readyz", "/metrics"}
LINKED = {f"/{purpose}/{{token}}" for purpose in PURPOSES.values()}
"""For who has a signed link."""


def test_every_route_declares_its_scope() -> None:
    app = _application(itflow_face=True)
    assert len(app.routes) > 25
    for route in app.routes:
        required = getattr(getattr(route, "endpoint", None), "required_scope", None)
        path = getattr(route, "path", "")
        assert required in SCOPES or path in PUBLIC | LINKED, f"{path} declares no scope"


def test_route_without_a_scope_cannot_be_made() -> None:
    async def endpoint() -> None:
        """Nothing."""

    with pytest.raises(TypeError, match="declares no scope"):
        Route("/x", endpoint)


async def test_no_route_answers_without_a_key(lonely_desk: Desk) -> None:
    nobody = lonely_desk.api.using("")
    for route in _application(itflow_face=False).routes:
        path = getattr(route, "path", "").replace(":int", "")
        if path in PUBLIC:
            continue
        for method in getattr(route, "methods", None) or ():
            place = re.sub(r"{\w+}", "1", path)
            answer = await nobody.call(method, place, None, {})
            assert answer.status == (404 if path in LINKED else 401), (method, place)


async def test_bad_keys_are_refused(lonely_desk: Desk) -> None:
    good = lonely_desk.api.key
    key_id, secret = good.split("_")[1:]
    for bad in (
        "x",
        "dw_",
        f"dw_{key_id}",
        f"dw_{key_id}_",
        f"dw_{key_id}_{secret}x",
        f"dw_{key_id}_{secret.upper()}",
        f"dw_{int(key_id) + 1}_{secret}",
        f"dw_-1_{secret}",
        f"dw_{'9' * 30}_{secret}",
        f"dw_\xb2_{secret}",
    ):
        answer = await lonely_desk.api.using(bad).get(TICKETS)
        assert (answer.status, answer.json["code"]) == (401, "unauthorized"), bad
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    nobody = lonely_desk.api.using("")
    assert (await nobody.get(TICKETS, X_API_Key=good)).status == 200
    assert (await nobody.get(TICKETS, Authorization=f"bearer {good}")).status == 200
    assert (await nobody.get(f"{TICKETS}?api_key={good}")).status == 401


async def test_revoked_and_expired_keys_are_refused(lonely_desk: Desk) -> None:
    database, now = lonely_desk.database, datetime.now(UTC)
    key = await create_key(database, "k", scopes=["admin"], expires_at=now + timedelta(hours=1))
    expired = await create_key(database, "k", scopes=["admin"], expires_at=now)
    believing, doubting = KeyRing(database), KeyRing(database, believed=0)
    for ring in (believing, doubting):
        assert await ring.verify(key) is not None
        assert await ring.verify(expired) is None
    await revoke_key(database, int(key.split("_")[1]))
    assert await doubting.verify(key) is None
    assert await believing.verify(key) is not None, "for five seconds"
    assert (await lonely_desk.api.using(key).get(TICKETS)).status == 401


async def test_a_key_does_what_its_scopes_say(desk: Desk) -> None:
    reader = await desk.key("tickets:read")
    assert (await reader.get(TICKETS)).status == 200
    refused = await reader.post(TICKETS, {"subject": "s", "body": "b"})
    assert (refused.status, refused.json["code"]) == (403, "forbidden")
    assert "tickets:write" in refused.json["detail"]
    assert (await reader.get("/api/v1/clients")).status == 403
    assert (await reader.get("/api/v1/keys")).status == 403
    writer = await desk.key("tickets:write")
    assert (await writer.get(TICKETS)).status == 403
    assert (await writer.post(TICKETS, {"subject": "s", "body": "b"})).status == 201


class TwoClients:
    """Acme and Initech, a ticket with a note each, and a key bound to Acme."""

    def __init__(self, desk: Desk) -> None:
        self.api = desk.api
        self.acme, self.initech, self.tickets = 0, 0, [0, 0]
        self.key: Api = desk.api

    async def fill(self, desk: Desk) -> None:
        self.acme = (await self.api.made("/api/v1/clients", {"name": "Acme"}))["id"]
        self.initech = (await self.api.made("/api/v1/clients", {"name": "Initech"}))["id"]
        for n, client in enumerate((self.acme, self.initech)):
            given = {"subject": "s", "body": "b", "client_id": client}
            self.tickets[n] = (await self.api.made(TICKETS, given))["id"]
            note = {"kind": "internal", "body": "secret"}
            await self.api.made(f"{TICKETS}/{self.tickets[n]}/entries", note)
            person = {"client_id": client, "name": "Ann", "email": "ann@example.com"}
            await self.api.made("/api/v1/contacts", person)
            domain = {"client_id": client, "name": f"{client}.example.com"}
            await self.api.made("/api/v1/domains", domain)
        await self.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
        self.key = await desk.key("admin", client_id=self.acme)


@pytest.fixture
async def two(desk: Desk) -> TwoClients:
    two = TwoClients(desk)
    await two.fill(desk)
    return two


async def test_bound_key_sees_its_client_alone(two: TwoClients) -> None:
    mine, theirs = two.tickets
    assert (await two.key.get(f"{TICKETS}/{mine}")).status == 200
    for path in (
        f"tickets/{theirs}",
        f"tickets/{theirs}/entries",
        f"tickets/{theirs}/entries/1",
        "tickets/by-number/TCK-2",
        f"clients/{two.initech}",
        f"clients/{two.initech}/tickets",
        "contacts/2",
        "domains/2",
        "agents/1",
    ):
        answer = await two.key.get(f"/api/v1/{path}")
        assert (answer.status, answer.json["code"]) == (404, "not_found"), path
        if path != f"tickets/{theirs}/entries/1":
            assert (await two.api.get(f"/api/v1/{path}")).status == 200, path
    answer = await two.key.get("/api/v1/settings")
    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    for path, ids in (
        ("tickets", [mine]),
        (f"tickets?client_id={two.initech}", []),
        (f"clients/{two.acme}/tickets", [mine]),
        ("clients", [two.acme]),
        ("contacts", [1]),
        (f"contacts?client_id={two.initech}", []),
        ("domains", [1]),
        ("agents", []),
    ):
        answer = await two.key.get(f"/api/v1/{path}")
        assert [each["id"] for each in answer.json["data"]] == ids, path
    assert (await two.key.get(f"{TICKETS}?total=true")).json["total"] == 1
    for path in ("mail/outbound", "keys"):
        assert (await two.key.get(f"/api/v1/{path}")).status == 403


async def test_bound_key_never_sees_internal_entries(two: TwoClients) -> None:
    place = f"{TICKETS}/{two.tickets[0]}/entries"
    everything = (await two.api.get(place)).json["data"]
    assert [entry["kind"] for entry in everything] == ["public", "internal"]
    seen = await two.key.get(f"{place}?total=true")
    assert seen.json["data"] == everything[:1]
    assert seen.json["total"] == 1
    assert (await two.key.get(f"{place}/{everything[0]['id']}")).status == 200
    assert (await two.key.get(f"{place}/{everything[1]['id']}")).status == 404


async def test_bound_key_writes_as_the_client(two: TwoClients) -> None:
    mine, theirs = two.tickets
    reply = await two.key.made(f"{TICKETS}/{mine}/entries", {"body": "Hello?"})
    assert (reply["kind"], reply["author"]["type"]) == ("client", "contact")
    for change in (
        {"kind": "public"},
        {"kind": "internal"},
        {"status": "closed"},
        {"time_worked": 1},
    ):
        answer = await two.key.post(f"{TICKETS}/{mine}/entries", {"body": "b"} | change)
        assert answer.status == 403, change
    assert (await two.key.post(f"{TICKETS}/{theirs}/entries", {"body": "b"})).status == 404
    opened = await two.key.made(TICKETS, {"subject": "s", "body": "b"})
    assert opened["client"]["id"] == two.acme
    assert opened["created_by"]["type"] == "contact"
    first = (await two.key.get(f"{TICKETS}/{opened['id']}/entries")).json["data"]
    assert [entry["kind"] for entry in first] == ["client"]


async def test_a_front_end_for_clients_says_which_contact_writes(
    two: TwoClients, desk: Desk
) -> None:
    mine, place = two.tickets[0], f"{TICKETS}/{two.tickets[0]}/entries"
    eve, alice = [
        await desk.api.made("/api/v1/contacts", {"name": name, "client_id": client})
        for name, client in (("Eve", two.initech), ("Alice", two.acme))
    ]
    values = {"body": "Hello?", "contact_id": alice["id"]}
    for api in (two.key, desk.api):
        written = (await api.made(place, values))["author"]
        assert written == {"type": "contact", "id": alice["id"], "name": "Alice", "email": None}
        for contact_id in (eve["id"], 99):
            refused = await api.post(place, values | {"contact_id": contact_id})
            assert refused.status == 404
            assert refused.json["detail"] == f"there is no contact {contact_id}"
    refused = await desk.api.post(place, values | {"kind": "public"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "contact_id")
    assert (await desk.api.get(f"{TICKETS}/{mine}")).json["last_reply"]["by"] == "Alice"


async def test_bound_key_writes_within_its_client_alone(two: TwoClients) -> None:
    for path, given, status in (
        ("tickets", {"subject": "s", "body": "b", "client_id": two.initech}, 404),
        ("tickets", {"subject": "s", "body": "b", "contact_id": 2}, 404),
        ("contacts", {"client_id": two.initech, "name": "Eve"}, 404),
        ("domains", {"client_id": two.initech, "name": "eve.example.com"}, 404),
        ("clients", {"name": "Evil"}, 403),
        ("agents", {"name": "Eve", "email": "eve@example.com"}, 403),
        ("keys", {"name": "Eve", "scopes": ["admin"]}, 403),
    ):
        answer = await two.key.post(f"/api/v1/{path}", given)
        assert answer.status == status, (path, answer.body)
    answer = await two.key.call("PATCH", "/api/v1/settings", b"{}", {"If-Match": '"1"'})
    assert answer.status == 403


async def test_a_ticket_says_which_integration_opened_it(desk: Desk) -> None:
    ticket = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    entries = (await desk.api.get(f"{TICKETS}/{ticket['id']}/entries")).json["data"]
    assert ticket["created_by"]["type"] == "system"
    assert ticket["created_by"]["name"]
    assert entries[0]["author"] == ticket["created_by"]


async def test_agent_key_opens_as_the_agent(desk: Desk) -> None:
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    bob = await desk.key("tickets:write", agent_id=agent["id"])
    ticket = await bob.made(TICKETS, {"subject": "s", "body": "b"})
    assert ticket["created_by"] == {
        "type": "agent",
        "id": agent["id"],
        "name": "Bob",
        "email": "bob@example.com",
    }


async def test_keys_over_http(lonely_desk: Desk) -> None:
    api = lonely_desk.api
    at = datetime(2026, 3, 2, tzinfo=UTC)
    await lonely_desk.broker.publish(
        wrap(ClientChanged(client=Client(id=5, name="Acme", created_at=at)))
    )
    given = {"name": "Monitoring", "scopes": ["tickets:read"], "client_id": 5}
    made = await api.post("/api/v1/keys", given, Idempotency_Key="once")
    assert made.status == 201
    key = made.json["key"]
    told = (await api.get(made.headers["Location"])).json
    assert {"key": key, **told} == made.json
    again = await api.post("/api/v1/keys", given, Idempotency_Key="once")
    assert (again.status, again.json["code"]) == (409, "conflict")
    listed = (await api.get("/api/v1/keys")).json["data"]
    assert [(each["name"], each["client_id"], each["scopes"]) for each in listed] == [
        ("all", None, ["admin"]),
        ("Monitoring", 5, ["tickets:read"]),
    ]
    assert key.split("_")[2] not in str(listed)
    place = f"/api/v1/keys/{listed[1]['id']}"
    assert (await api.call("DELETE", place, None, {})).status == 204
    assert (await api.get("/api/v1/keys")).json["data"][1]["revoked_at"]
    assert (await api.using(key).get(TICKETS)).status == 401
    assert (await api.call("DELETE", "/api/v1/keys/99", None, {})).status == 404
    assert (await api.get("/api/v1/keys/99")).status == 404
    bad = await api.post("/api/v1/keys", {"name": "x", "scopes": ["tickets:eat"]})
    assert bad.status == 422
    nobody = await api.post("/api/v1/keys", given | {"client_id": 6})
    assert nobody.status == 404


async def test_keys_are_listed_a_page_at_a_time(lonely_desk: Desk) -> None:
    await lonely_desk.key("tickets:read")
    await lonely_desk.key("tickets:read")
    page = (await lonely_desk.api.get("/api/v1/keys?limit=2&total=true")).json
    assert ([each["id"] for each in page["data"]], page["total"]) == ([1, 2], 3)
    rest = (await lonely_desk.api.get(f"/api/v1/keys?limit=2&cursor={page['next_cursor']}")).json
    assert ([each["id"] for each in rest["data"]], rest["next_cursor"]) == ([3], None)


async def test_keys_of_an_archived_agent_do_not_work(desk: Desk) -> None:
    ring = KeyRing(desk.database, believed=0)
    bob = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    his = (await desk.key("tickets:read", agent_id=bob["id"])).key
    assert await ring.verify(his)
    await desk.api.post(f"/api/v1/agents/{bob['id']}/archive", {})
    assert await ring.verify(his) is None
    given = {"name": "x", "scopes": ["tickets:read"], "agent_id": bob["id"]}
    assert (await desk.api.post("/api/v1/keys", given)).status == 409
    await desk.api.post(f"/api/v1/agents/{bob['id']}/unarchive", {})
    assert await ring.verify(his)


async def test_keys_are_stored_as_hashes(lonely_desk: Desk) -> None:
    key = await create_key(lonely_desk.database, "k", scopes=["tickets:read"])
    row = await lonely_desk.database.pool.fetchval(
        "SELECT CAST(k AS text) FROM api_keys k WHERE name = 'k'"
    )
    assert key.split("_")[2] not in row
    assert [each.name for each in await list_keys(lonely_desk.database)] == ["all", "k"]
    with pytest.raises(Invalid):
        await create_key(lonely_desk.database, "k", scopes=[])
    with pytest.raises(NotFound):
        await revoke_key(lonely_desk.database, 99)


async def test_a_wrong_scope_is_one_mistake(desk: Desk) -> None:
    refused = await desk.api.post("/api/v1/keys", {"name": "Eve", "scopes": ["mail:eat"]})
    assert [error["field"] for error in refused.json["errors"]] == ["scopes.0"]
    refused = await desk.api.post("/api/v1/keys", {"name": "Eve", "scopes": []})
    assert refused.json["errors"] == [{"field": "scopes", "message": "must not be empty"}]


@pytest.mark.parametrize(
    ("place", "body", "field"),
    [
        ("keys", {"name": "k", "scopes": ["mail:read"], "client_id": 99}, "client_id"),
        ("webhooks", {"url": "https://hooks.example.com", "client_id": 99}, "client_id"),
        ("mail/inbound/1/accept", {"client_id": 99}, "client_id"),
        (
            "scheduled-tickets",
            {
                "name": "n",
                "cron": "0 9 * * *",
                "ticket": {"subject": "s", "body": "b", "asset_ids": [99]},
            },
            "ticket.asset_ids",
        ),
        ("tickets/{ticket}/assign", {"agent_id": 99}, "agent_id"),
    ],
)
async def test_what_is_not_there_is_named_by_its_field(
    desk: Desk, place: str, body: dict[str, Any], field: str
) -> None:
    ticket = await desk.api.made("/api/v1/tickets", {"subject": "s", "body": "b"})
    refused = await desk.api.post(f"/api/v1/{place.format(ticket=ticket['id'])}", body)
    assert (refused.status, [each["field"] for each in refused.json["errors"]]) == (404, [field])
