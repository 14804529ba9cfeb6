"""Clients, contacts, assets, agents, domains, locations: every field, every limit, lists."""

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from gateway_api import Answer, Api, Desk, eventually

from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.envelope import wrap

LINE = "l" * 255
NOTES = "n\n" * 5_000
FULL: Mapping[str, dict[str, Any]] = {
    "clients": {
        "name": "n" * 200,
        **dict.fromkeys(("type", "website", "referral", "tax_id"), LINE),
        "abbreviation": "a" * 10,
        "lead": True,
        "rate": {"amount": "9999999999999.99", "currency": "CHF"},
        "currency": "CHF",
        "net_terms": 3650,
        "language": "de-CH-1996",
        "timezone": "Europe/Zurich",
        "notifications": False,
        "notes": NOTES,
    },
    "locations": {
        "client_id": 1,
        "name": "n" * 200,
        **dict.fromkeys(("description", "country", "address", "city", "state", "zip"), LINE),
        "phone": LINE,
        "hours": LINE,
        "notes": NOTES,
        "primary": True,
    },
    "contacts": {
        "client_id": 1,
        "name": "n" * 200,
        "email": f"{'e' * 308}@example.com",
        **dict.fromkeys(("title", "department", "phone", "extension", "mobile"), LINE),
        "notes": NOTES,
        **dict.fromkeys(("primary", "important", "billing", "technical"), True),
        "location_id": 1,
    },
    "assets": {
        "client_id": 1,
        "name": "n" * 200,
        **dict.fromkeys(("type", "description", "make", "model", "serial", "os", "ip"), LINE),
        **dict.fromkeys(("mac", "uri", "status"), LINE),
        "purchase_date": "2024-01-31",
        "warranty_expire": "9999-12-31",
        "install_date": "0001-01-01",
        "notes": NOTES,
        "location_id": 1,
        "contact_id": 1,
    },
    "agents": {"name": "n" * 200, "email": f"{'e' * 308}@example.com"},
    "domains": {"client_id": 1, "name": f"{'a.' * 120}example.test"},
}
WRONG: Mapping[str, dict[str, list[Any]]] = {
    "clients": {
        "abbreviation": ["a" * 11, ""],
        "website": ["javascript:alert(1)", "Data:text/html,x"],
        "rate": [
            {"amount": amount, "currency": "EUR"}
            for amount in ("-1", "1.005", "1e3", "NaN", "", "1" * 14, "\u0661", " 1", 1)
        ]
        + [{"amount": "1"}, {"amount": "1", "currency": "EUR", "x": 1}, "1 EUR"],
        "currency": ["EURO", "eur", "XXX", "DEM", ""],
        "net_terms": [-1, 3651, 1.5, "1"],
        "language": ["german", "", "d", "de_CH", f"de{'-abcdefgh' * 4}"],
        "timezone": ["Mars/Olympus", "../../etc/passwd", "europe/zurich", ""],
        "lead": ["perhaps"],
    },
    "contacts": {
        "email": ["ann", "a@b@c", f"{'e' * 309}@example.com", "Ann <a@b.c>"],
        "location_id": [0, -1, "1", 2**53],
    },
    "assets": {"purchase_date": ["yesterday", "2024-02-30", "10000-01-01"], "uri": ["vbscript:x"]},
    "agents": {"email": [""]},
    "domains": {"name": ["localhost", "a b.test", f"{'a.' * 121}example.test", "@example.com"]},
    "locations": {"primary": [2]},
}


async def make_all(api: Api) -> dict[str, Any]:
    return {name: await api.made(f"/api/v1/{name}", values) for name, values in FULL.items()}


def refused(answer: Answer, field: str) -> bool:
    fields = [error["field"] for error in answer.json["errors"]]
    return answer.status == 422 and all(each.partition(".")[0] == field for each in fields)


async def test_every_field_at_its_limit_goes_through(desk: Desk) -> None:
    made = await make_all(desk.api)
    for name, values in FULL.items():
        place = f"/api/v1/{name}/{made[name]['id']}"
        assert {field: made[name][field] for field in values} == values
        read = await desk.api.get(place)
        assert read.json == made[name]
        assert (await desk.api.get(place, If_None_Match=read.headers["ETag"])).status == 304
    await desk.broker.publish(wrap(ReplayDocuments()))
    for kind, name in (("asset", "assets"), ("location", "locations")):
        await desk.database.pool.execute("DELETE FROM records WHERE kind = $1", kind)
        await desk.broker.publish(wrap(ReplayDocuments(kind=kind)))
        path = f"/api/v1/{name}/1"
        told = await eventually(partial(desk.api.get, path), lambda a: a.status == 200)
        assert told.json == made[name]


async def test_one_beyond_is_refused_with_its_field(desk: Desk) -> None:
    made = await make_all(desk.api)
    for name, values in FULL.items():
        place = f"/api/v1/{name}"
        one = f"{place}/{made[name]['id']}"
        least = {
            field: values[field] for field in ("client_id", "name", "email") if field in values
        }
        wrong = {field: [f"{value}x"] for field, value in values.items() if isinstance(value, str)}
        wrong |= {field: [{"a": "b"}, [1]] for field in values} | WRONG[name] | {"colour": ["red"]}
        for field, values_of in wrong.items():
            for value in values_of:
                answer = await desk.api.post(place, least | {field: value})
                assert refused(answer, field), (name, field, value, answer.body)
                if field != "client_id":
                    answer = await desk.api.send("PATCH", one, {field: value})
                    assert refused(answer, field), (name, field, value, answer.body)
        assert (await desk.api.send("PATCH", one, {"client_id": 2})).status == 422
        assert (await desk.api.get(one)).json == made[name]


async def test_hostile_text_is_cleaned_or_refused(desk: Desk) -> None:
    client = await desk.api.made("/api/v1/clients", {"name": "A\0c\x1bme\u202e", "notes": "a\0\nb"})
    assert (client["name"], client["notes"]) == ("Acme\u202e", "a\nb")
    path = "/api/v1/clients"
    for raw in (rb'{"name":"\ud800"}', rb'{"name":"\u0000"}', b'{"name":" "}', b'{"name":"\xff"}'):
        answer = await desk.api.call("POST", path, raw, {"Content-Type": "application/json"})
        assert answer.status in (400, 422), raw
    for query in ("q=%00", "q=%27%5C%26%21:*", "name=%00a", "q=%F0%9F%92%A9", "q=%CC%81", "q=a%00"):
        assert (await desk.api.get(f"{path}?{query}")).status == 200, query
    assert (await desk.api.get(f"{path}/{10**30}")).status == 404
    assert (await desk.api.send("PATCH", f"{path}/{10**30}", {"name": "x"})).status == 404
    assert (await desk.api.post(f"{path}/{10**30}/archive", None)).status == 404


async def test_null_takes_back_and_what_is_left_out_stays(desk: Desk) -> None:
    made = await make_all(desk.api)
    for name, values in FULL.items():
        one = f"/api/v1/{name}/{made[name]['id']}"
        fields = [field for field in values if field != "client_id"]
        answer = await desk.api.send("PATCH", one, dict.fromkeys(fields, None))
        assert answer.status == 200, answer.body
        kept = {field: value for field, value in answer.json.items() if value is not None}
        always = {"name", "lead", "currency", "language", "timezone", "notifications", "primary"}
        always |= {"important", "billing", "technical"} | ({"email"} if name == "agents" else set())
        assert set(fields) & set(kept) == set(fields) & always
        assert all(kept[field] == values[field] for field in set(fields) & always)
        renamed = await desk.api.send("PATCH", one, {"name": "new.test"})
        assert renamed.json == kept_but(answer.json, renamed.json, "name", "version", "updated_at")
        assert (await desk.api.get(one)).json == renamed.json


def kept_but(before: dict[str, Any], after: dict[str, Any], *changed: str) -> dict[str, Any]:
    return before | {field: after[field] for field in changed}


async def test_if_match_is_honoured_where_it_is_given(desk: Desk) -> None:
    made = await make_all(desk.api)
    for name in FULL:
        one = f"/api/v1/{name}/{made[name]['id']}"
        version = made[name]["version"]
        for tag, status in (('"99"', 412), ("x", 412), (f'"{version}"', 200), ("*", 200)):
            name_of = {"name": f"{status}{tag.strip(chr(34))}.test".replace("*", "any")}
            answer = await desk.api.send("PATCH", one, name_of, If_Match=tag)
            assert answer.status == status, (name, tag)
        stale = await desk.api.post(f"{one}/archive", None, If_Match=f'"{version}"')
        assert (stale.status, stale.json["code"]) == (412, "stale_version")


async def test_archive_and_back(desk: Desk) -> None:
    made = await make_all(desk.api)
    for name in reversed([*FULL]):
        one, listed = f"/api/v1/{name}/{made[name]['id']}", f"/api/v1/{name}?total=true"
        archived = await desk.api.post(f"{one}/archive", None, Idempotency_Key="k1")
        assert archived.json["archived_at"]
        again = await desk.api.post(f"{one}/archive", None, Idempotency_Key="k1")
        assert (again.json, again.headers["Idempotent-Replayed"]) == (archived.json, "true")
        assert (await desk.api.post(f"{one}/archive", None)).json == archived.json
        assert (await desk.api.get(one)).json == archived.json
        for query, total in (("", 0), ("&archived=true", 1), ("&archived=any", 1)):
            assert (await desk.api.get(listed + query)).json["total"] == total, (name, query)
        back = await desk.api.post(f"{one}/unarchive", None)
        assert (back.json["archived_at"], back.json["version"]) == (
            None,
            archived.json["version"] + 1,
        )
        assert (await desk.api.get(listed)).json["data"] == [back.json]
        assert (await desk.api.call("DELETE", one, None, {})).status == 405


async def test_what_is_there_once_is_409_with_its_field(desk: Desk) -> None:
    await make_all(desk.api)
    for name, field in (("contacts", "email"), ("agents", "email"), ("domains", "name")):
        place = f"/api/v1/{name}"
        same = await desk.api.post(place, FULL[name])
        assert (same.status, same.json["errors"][0]["field"]) == (409, field)
        assert (await desk.api.post(f"{place}/1/archive", None)).status == 200
        other = await desk.api.made(place, FULL[name])
        back = await desk.api.post(f"{place}/1/unarchive", None)
        assert (back.status, back.json["errors"][0]["field"]) == (409, field)
        await desk.api.post(f"{place}/{other['id']}/archive", None)
        assert (await desk.api.post(f"{place}/1/unarchive", None)).status == 200


async def test_a_rate_brings_its_currency(desk: Desk) -> None:
    rate = {"amount": "90.5", "currency": "CHF"}
    client = await desk.api.made("/api/v1/clients", {"name": "Acme", "rate": rate})
    assert (client["rate"]["amount"], client["currency"]) == ("90.50", "CHF")
    one = "/api/v1/clients/1"
    other = await desk.api.send("PATCH", one, {"currency": "USD"})
    assert (other.status, other.json["errors"][0]["field"]) == (422, "currency")
    dollars = {"rate": {"amount": "80", "currency": "USD"}}
    assert (await desk.api.send("PATCH", one, dollars)).json["currency"] == "USD"
    wrong = {"name": "x", "rate": rate, "currency": "EUR"}
    assert refused(await desk.api.post("/api/v1/clients", wrong), "currency")


async def test_a_clients_key_has_its_client_alone(desk: Desk) -> None:
    made = await make_all(desk.api)
    other = await desk.api.made("/api/v1/clients", {"name": "Other"})
    bound = await desk.key("admin", client_id=other["id"])
    for name in FULL:
        place = f"/api/v1/{name}"
        one = f"{place}/{made[name]['id']}"
        assert (await bound.get(one)).status == 404
        expected = 1 if name == "clients" else 0
        assert len((await bound.get(f"{place}?archived=any&q=n")).json["data"]) == 0
        assert len((await bound.get(f"{place}?archived=any")).json["data"]) == expected
        status = 403 if name in ("clients", "agents") else 404
        for answer in (
            await bound.send("PATCH", one, {"name": "new.test"}),
            await bound.post(f"{one}/archive", None),
            await bound.post(f"{one}/unarchive", None),
        ):
            assert answer.status == status, (name, answer.body)
        assert (await bound.post(place, FULL[name])).status == status
        assert (await desk.api.get(one)).json == made[name]
    mine = await bound.made("/api/v1/assets", {"client_id": other["id"], "name": "srv1"})
    foreign = {"client_id": other["id"], "name": "srv2", "location_id": 1}
    answer = await bound.post("/api/v1/assets", foreign)
    assert (answer.status, answer.json["errors"][0]["field"]) == (404, "location_id")
    one = f"/api/v1/assets/{mine['id']}"
    assert (await bound.send("PATCH", one, {"name": "srv3"})).json["name"] == "srv3"
    assert (await bound.post(f"{one}/archive", None)).json["archived_at"]
    reader = await desk.key("assets:read", "locations:read")
    assert (await reader.get(one)).status == 200
    for answer in (
        await reader.send("PATCH", one, {"name": "x"}),
        await reader.post(f"{one}/archive", None),
        await reader.post("/api/v1/locations", {"client_id": 1, "name": "x"}),
        await reader.get("/api/v1/contacts"),
    ):
        assert answer.status == 403


async def test_a_ticket_names_its_assets_and_a_new_name_is_everywhere(desk: Desk) -> None:
    api = desk.api
    await make_all(api)
    new = {"subject": "s", "body": "b", "client_id": 1, "asset_ids": [1, 1], "assigned_to": 1}
    ticket = await api.made("/api/v1/tickets", new)
    assert ticket["assets"] == [{"id": 1, "name": "n" * 200}]
    wrong = await api.post("/api/v1/tickets", new | {"asset_ids": [1, 2]})
    assert (wrong.status, wrong.json["errors"][0]["field"]) == (404, "asset_ids")
    one = "/api/v1/tickets/1"
    put = await api.send("PUT", f"{one}/assets", {"asset_ids": []}, If_Match='"1"')
    assert put.json == {"assets": []}
    put = await api.send("PUT", f"{one}/assets", {"asset_ids": [1]}, If_Match='"2"')
    assert put.status == 200
    for name in ("clients", "contacts", "assets", "agents"):
        await api.send("PATCH", f"/api/v1/{name}/1", {"name": f"New {name}"})
    await api.send("PATCH", "/api/v1/contacts/1", {"email": "new@example.com"})

    def shows(answer: Answer) -> bool:
        told = json.dumps(answer.json)
        return "new@example.com" in told and all(
            f"New {name}" in told for name in ("clients", "contacts", "assets", "agents")
        )

    for path in (one, "/api/v1/tickets", "/api/v1/clients/1/tickets"):
        await eventually(partial(api.get, path), shows)
