"""Invoices over HTTP: made of a ticket's or a month's time, listed, issued, made void."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from gateway_api import Answer, Api, Desk, eventually

from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.envelope import wrap

INVOICES = "/api/v1/invoices"
EUROS = {"amount": "95.00", "currency": "EUR"}
SELLER = {"name": "Example IT", "address": "1 Example Street"}
EVER = {"from": "2026-01-01T00:00:00Z", "to": "2026-12-31T00:00:00Z"}


async def settings(desk: Desk, **values: Any) -> None:
    seen = await eventually(lambda: desk.api.get("/api/v1/settings"), lambda a: a.status == 200)
    etag = seen.headers["ETag"]
    changed = await desk.api.send("PATCH", "/api/v1/settings", values, If_Match=etag)
    assert changed.status == 200, changed.body


async def client(api: Api, name: str = "Acme", **values: Any) -> int:
    return int((await api.made("/api/v1/clients", {"name": name, "rate": EUROS} | values))["id"])


async def worked(api: Api, client_id: int, *seconds: int) -> str:
    """The path of a new ticket on which so much was worked."""
    agents = (await api.get("/api/v1/agents")).json["data"]
    if not agents:
        agents = [await api.made("/api/v1/agents", {"name": "Ann", "email": "ann@example.com"})]
    values = {"subject": "Printer", "body": "b", "client_id": client_id, "billable": True}
    ticket = f"/api/v1/tickets/{(await api.made('/api/v1/tickets', values))['id']}"
    for each in seconds:
        await api.made(f"{ticket}/time", {"agent_id": agents[0]["id"], "seconds": each})
    return ticket


async def ids(api: Api, query: str = "") -> list[int]:
    answer = await api.get(f"{INVOICES}?{query}")
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer.json["data"]]


def refusal(answer: Answer) -> tuple[int, str, list[str]]:
    return (
        answer.status,
        answer.json["code"],
        [each["field"] for each in answer.json["errors"]],
    )


async def test_from_a_ticket_to_an_issued_invoice(desk: Desk) -> None:
    await settings(desk, tax_rate="19", seller=SELLER)
    ticket = await worked(desk.api, await client(desk.api), 600, 600)
    place = f"{ticket}/invoice"
    made = await desk.api.post(place, {}, Idempotency_Key="once")
    assert (made.status, made.headers["ETag"]) == (201, '"1"'), made.body
    invoice, at = made.json, made.headers["Location"]
    assert (invoice["reference"], invoice["total"]["amount"]) == ("INV-1", "37.68")
    again = await desk.api.post(place, {}, Idempotency_Key="once")
    assert (again.json, again.headers["Idempotent-Replayed"]) == (invoice, "true")
    assert (await desk.api.get(at)).json == invoice
    assert (await desk.api.get(at, If_None_Match='"1"')).status == 304
    assert (await desk.api.get(ticket)).json["invoice_ids"] == [invoice["id"]]
    nothing = await desk.api.call("POST", place, None, {})
    assert refusal(nothing) == (409, "conflict", [])
    assert "nothing to invoice" in nothing.json["detail"]

    times = await eventually(
        lambda: desk.api.get(f"{ticket}/time"), lambda a: a.json["data"][1]["invoice_id"] == 1
    )
    for method in ("PATCH", "DELETE"):
        time = f"{ticket}/time/{times.json['data'][0]['id']}"
        assert (await desk.api.send(method, time, {"seconds": 5})).status == 409

    assert (await desk.api.post(f"{at}/issue", {}, If_Match='"9"')).status == 412
    issued = await desk.api.call("POST", f"{at}/issue", None, {"If-Match": '"1"'})
    assert (issued.status, issued.json["state"], issued.headers["ETag"]) == (200, "issued", '"2"')
    assert (await desk.api.get(at)).json == issued.json
    assert (await desk.api.call("POST", f"{at}/issue", None, {})).status == 409
    void = await desk.api.post(f"{at}/void", {"reason": "Wrong rate."})
    assert (void.status, void.json["state"], void.json["void_reason"]) == (
        200,
        "void",
        "Wrong rate.",
    )
    assert (await desk.api.call("POST", f"{at}/void", None, {})).status == 409
    rate = {"amount": "10.00", "currency": "EUR"}
    second = await desk.api.made(place, {"rate": rate, "lines": "entry"})
    assert (second["reference"], len(second["lines"])) == ("INV-2", 2)


async def test_a_month_of_a_client(desk: Desk) -> None:
    of = await client(desk.api)
    for _ in range(2):
        ticket = await worked(desk.api, of, 3600)
        assert (await desk.api.post(f"{ticket}/close", {})).status == 200
    await worked(desk.api, of, 3600)
    month = EVER | {"client_id": of}
    invoice = await desk.api.made(INVOICES, month)
    assert [line["quantity"] for line in invoice["lines"]] == ["1.0000", "1.0000"]
    assert (await desk.api.post(INVOICES, month)).status == 409
    assert refusal(await desk.api.post(INVOICES, month | {"to": EVER["from"]}))[2] == ["to"]
    assert refusal(await desk.api.post(INVOICES, month | {"client_id": 99}))[0] == 404


async def test_what_is_yet_to_be_invoiced(desk: Desk) -> None:
    of = await client(desk.api)
    invoiced, _ = await worked(desk.api, of, 600), await worked(desk.api, of, 60)
    made = await desk.api.made(f"{invoiced}/invoice", {})
    now = datetime.now(UTC)
    today = {"from": f"{now - timedelta(1):%FT%TZ}", "to": f"{now + timedelta(1):%FT%TZ}"}
    query = urlencode(today | {"group_by": "client", "billable": "true", "invoiced": "false"})

    async def left(seconds: int) -> None:
        await eventually(
            lambda: desk.api.get(f"/api/v1/reports/time?{query}"),
            lambda answer: answer.json["sum"]["seconds"] == seconds,
        )

    await left(60)
    await desk.api.call("POST", f"{INVOICES}/{made['id']}/void", None, {})
    await left(660)


async def test_what_is_refused(desk: Desk) -> None:
    ticket = await worked(desk.api, await client(desk.api), 60)
    place = f"{ticket}/invoice"
    for amount in ("-1", "1.123456789", "x"):
        wrong = await desk.api.post(place, {"rate": EUROS | {"amount": amount}})
        assert refusal(wrong) == (422, "invalid", ["rate.amount"])
    dollars = await desk.api.post(place, {"rate": EUROS | {"currency": "USD"}})
    assert refusal(dollars) == (422, "invalid", ["rate.currency"])
    assert refusal(await desk.api.post(place, {"invoice_id": 9})) == (
        404,
        "not_found",
        ["invoice_id"],
    )
    made = await desk.api.made(place, {})
    unnamed = await desk.api.call("POST", f"{INVOICES}/{made['id']}/issue", None, {})
    assert (unnamed.status, "seller" in unnamed.json["detail"]) == (409, True)
    for path in ("99", "99/issue", "99/void"):
        method = "GET" if path == "99" else "POST"
        assert (await desk.api.call(method, f"{INVOICES}/{path}", None, {})).status == 404


async def test_rates_of_tax_and_the_desks_own_are_numbers(desk: Desk) -> None:
    await settings(desk, tax_rate="19")
    seen = {"If_Match": (await desk.api.get("/api/v1/settings")).headers["ETag"]}
    for change, field in (
        ({"tax_rate": "-1"}, "tax_rate"),
        ({"tax_rate": "19.123456789"}, "tax_rate"),
        ({"tax_rate": "100.001"}, "tax_rate"),
        ({"default_rate": EUROS | {"amount": "-1"}}, "default_rate.amount"),
        ({"default_rate": EUROS | {"amount": "0.123456789"}}, "default_rate.amount"),
        ({"default_rate": EUROS | {"currency": "XYZ"}}, "default_rate.currency"),
    ):
        wrong = await desk.api.send("PATCH", "/api/v1/settings", change, **seen)
        assert refusal(wrong) == (422, "invalid", [field])
        assert wrong.json["errors"][0]["message"].startswith("must be ")


async def test_an_invoice_has_one_currency(desk: Desk) -> None:
    of = await client(desk.api)
    first, second = await worked(desk.api, of, 60), await worked(desk.api, of, 60)
    made = await desk.api.made(f"{first}/invoice", {})
    dollars = {"rate": {"amount": "95.00", "currency": "USD"}, "currency": "USD"}
    assert (await desk.api.send("PATCH", f"/api/v1/clients/{of}", dollars)).status == 200
    mixed = await desk.api.post(f"{second}/invoice", {"invoice_id": made["id"]})
    assert refusal(mixed) == (409, "conflict", ["invoice_id"])
    assert mixed.json["detail"] == "INV-1 is in EUR, the client's currency is USD"


async def test_time_that_is_invoiced_stays_as_it_is(desk: Desk) -> None:
    ticket = await worked(desk.api, await client(desk.api), 60)
    made = await desk.api.made(f"{ticket}/invoice", {})
    (time,) = (await desk.api.get(f"{ticket}/time")).json["data"]
    place, void = f"{ticket}/time/{time['id']}", f"{INVOICES}/{made['id']}/void"
    for method, change in (("PATCH", {"seconds": 1}), ("PATCH", {"note": "x"}), ("DELETE", {})):
        refused = await desk.api.send(method, place, change)
        assert (refused.status, "POST /invoices/1/void" in refused.json["detail"]) == (409, True)
    assert (await desk.api.call("POST", void, None, {})).status == 200
    assert (await desk.api.send("PATCH", place, {"seconds": 1})).status == 200


async def test_lists_and_who_sees_what(desk: Desk) -> None:
    await settings(desk, seller=SELLER)
    ours, theirs = await client(desk.api), await client(desk.api, "Other")
    tickets = [await worked(desk.api, of, 60) for of in (ours, ours, theirs, ours)]
    made = [(await desk.api.made(f"{ticket}/invoice", {}))["id"] for ticket in tickets]
    for id in made[1:]:
        assert (await desk.api.call("POST", f"{INVOICES}/{id}/issue", None, {})).status == 200
    assert (await desk.api.post(f"{INVOICES}/{made[3]}/void", {})).status == 200

    assert await ids(desk.api) == made[::-1]
    assert await ids(desk.api, "sort=number&state=draft,issued") == made[:3]
    assert await ids(desk.api, f"client_id={theirs}") == [made[2]]
    today = (await desk.api.get(f"{INVOICES}/{made[0]}")).json["date"]
    assert await ids(desk.api, f"from={today}") == made[::-1]
    assert await ids(desk.api, f"to={today}") == []
    first = (await desk.api.get(f"{INVOICES}?limit=3&total=true")).json
    assert first["total"] == 4
    assert await ids(desk.api, f"cursor={first['next_cursor']}") == [made[0]]

    bound = await desk.key("invoices:read", "invoices:write", client_id=ours)
    assert await ids(bound) == [made[3], made[1]]
    assert await ids(bound, "state=draft") == await ids(bound, f"client_id={theirs}") == []
    statuses = [(await bound.get(f"{INVOICES}/{id}")).status for id in made]
    assert statuses == [404, 200, 404, 200]
    portal = await desk.key("tickets:read", client_id=ours)
    named = [(await portal.get(ticket)).json["invoice_ids"] for ticket in tickets[:2]]
    assert named == [[], [made[1]]]

    def names_what_is_in_force(listed: Answer) -> bool:
        return [one["invoice_ids"] for one in listed.json["data"]] == [[], [made[1]], []]

    in_order = "/api/v1/tickets?sort=number"  # a void is told to its tickets by an event
    await eventually(lambda: portal.get(in_order), names_what_is_in_force)
    for path in (f"{INVOICES}/{made[1]}/void", f"{INVOICES}/{made[1]}/issue"):
        assert (await bound.call("POST", path, None, {})).status == 403
    assert (await bound.post(INVOICES, EVER | {"client_id": ours})).status == 403


async def test_the_read_model_can_be_made_anew(desk: Desk) -> None:
    ticket = await worked(desk.api, await client(desk.api), 60)
    invoice = await desk.api.made(f"{ticket}/invoice", {})
    at = f"{INVOICES}/{invoice['id']}"

    async def emptied() -> Answer:
        """Again, when an event that was on its way comes after it."""
        await desk.database.pool.execute("TRUNCATE invoices, tickets")
        return await desk.api.get(at)

    await eventually(emptied, lambda a: a.status == 404)
    await desk.broker.publish(wrap(ReplayDocuments()))
    assert (await eventually(lambda: desk.api.get(at), lambda a: a.status == 200)).json == invoice
    named = [invoice["id"]]
    await eventually(
        lambda: desk.api.get(ticket), lambda a: a.status == 200 and a.json["invoice_ids"] == named
    )


async def test_an_agents_rate(desk: Desk) -> None:
    values = {"name": "Bob", "email": "bob@example.com", "rate": EUROS}
    bob = await desk.api.made("/api/v1/agents", values)
    assert bob["rate"] == EUROS
    place = f"/api/v1/agents/{bob['id']}"
    for rate in ({"amount": "120.00", "currency": "USD"}, None):
        changed = await desk.api.send("PATCH", place, {"rate": rate})
        assert (changed.status, changed.json["rate"]) == (200, rate)
        assert (await desk.api.get(place)).json["rate"] == rate
