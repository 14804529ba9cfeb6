"""Settings over HTTP: the instance's, and what is in force for a client."""

from typing import Any

from gateway_api import Answer, Api, Desk, eventually

SETTINGS = "/api/v1/settings"
HISTORY = f"{SETTINGS}/history"


async def change(api: Api, place: str, if_match: str | None, **values: object) -> Answer:
    headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    return await api.send("PATCH", place, values, **headers)


async def changed(api: Api, place: str, if_match: str, **values: object) -> Any:
    answer = await change(api, place, if_match, **values)
    assert answer.status == 200, answer.body
    return answer.json


async def refusal(api: Api, place: str, if_match: str | None, **values: object) -> tuple[int, str]:
    answer = await change(api, place, if_match, **values)
    return answer.status, answer.json["code"]


async def ready(desk: Desk) -> Answer:
    """The settings, once they were told of."""
    return await eventually(lambda: desk.api.get(SETTINGS), lambda answer: answer.status == 200)


async def told(desk: Desk, query: str, count: int) -> list[dict[str, Any]]:
    """So much history, waiting for it."""
    answer = await eventually(
        lambda: desk.api.get(f"{HISTORY}?{query}"), lambda answer: len(answer.json["data"]) == count
    )
    found: list[dict[str, Any]] = answer.json["data"]
    return found


async def client(desk: Desk, name: str = "Acme") -> tuple[int, str]:
    made = await desk.api.made("/api/v1/clients", {"name": name})
    return made["id"], f"/api/v1/clients/{made['id']}/settings"


async def test_settings_are_changed_by_who_has_seen_them(desk: Desk) -> None:
    seen = await ready(desk)
    assert seen.headers["ETag"] == '"1"'
    assert seen.json["ticket_prefix"] == "TCK-"
    assert (await desk.api.get(SETTINGS, If_None_Match='"1"')).status == 304
    wanted: dict[str, object] = {"ticket_prefix": "T-"}
    assert await refusal(desk.api, SETTINGS, None, **wanted) == (428, "precondition_required")
    assert await refusal(desk.api, SETTINGS, "x", **wanted) == (412, "stale_version")
    assert await refusal(desk.api, SETTINGS, "7", **wanted) == (412, "stale_version")
    bare = await desk.api.call("PATCH", SETTINGS, b"{}", {"If-Match": "1"})
    assert (bare.status, bare.json["code"]) == (412, "stale_version")
    assert bare.json["detail"].endswith('an ETag has its quotation marks, as "2"')
    assert await refusal(desk.api, SETTINGS, "1", colour="red") == (422, "invalid")
    after = await changed(desk.api, SETTINGS, "1", **wanted)
    assert (after["ticket_prefix"], after["version"]) == ("T-", 2)
    assert await refusal(desk.api, SETTINGS, "1", **wanted) == (412, "stale_version")
    assert (await desk.api.get(SETTINGS)).json == after
    ticket = await desk.api.made("/api/v1/tickets", {"subject": "s", "body": "b"})
    assert ticket["reference"] == "T-1"
    back = await changed(desk.api, SETTINGS, "2", ticket_prefix=None)
    assert back == seen.json | {"version": 3}


FULL = {
    "ticket_prefix": "Help.Desk_A-",
    "email_parsing": False,
    "unknown_senders": "quarantine",
    "mailboxes": [
        {
            "name": "a@b/INBOX",
            "parsing": False,
            "client_id": None,
            "assigned_to": None,
            "address": "help@brand.test",
            "from_name": "Brand",
        }
    ],
    "tickets_per_sender": 100_000,
    "acknowledgements_per_sender": 0,
    "new_ticket_addresses": ["team@example.com"],
    "new_ticket_sources": ["email"],
    "languages": ["de", "pt-BR"],
    "timezone": "Europe/Berlin",
    "tickets_billable": True,
    "client_notifications": False,
    "feedback": False,
    "status_notifications": ["working", "hold"],
    "from_name": "Help desk",
    "from_address": "help@example.com",
    "reopen_days": 3650,
    "sender_authentication": "passed",
    "auto_close": {
        "enabled": False,
        "chaser_hours": 1,
        "close_hours": 8784,
        "business_time": True,
        "wait_hours": 24,
    },
    "chaser_text": "Are you\nstill there?",
    "targets": {
        priority: {"first_response": minutes, "resolution": None}
        for priority, minutes in {"low": 527_040, "medium": None, "high": 1}.items()
    },
    "business_hours": {
        "monday": ["08:00-12:00", "12:00-24:00"],
        **{day: [] for day in ("tuesday", "wednesday", "thursday", "friday", "saturday")},
        "sunday": ["00:00-00:01"],
    },
    "holidays": ["2024-02-29", "2026-12-25"],
    "invoice_prefix": "RE-",
    "seller": {
        "name": "Example IT",
        "address": "1 Example Street\nExample City",
        "tax_id": "DE999999999",
        "contact": "billing@example.com",
        "payment": "IBAN DE00 0000",
    },
    "default_rate": {"amount": "95.00", "currency": "EUR"},
    "payment_terms": 14,
    "tax_rate": "9.975",
    "time_rounding": {"rule": "nearest", "minutes": 15},
    "invoice_lines": "entry",
    "invoice_mails": True,
}


async def test_every_setting_is_kept(desk: Desk) -> None:
    await ready(desk)
    after = await changed(desk.api, SETTINGS, "1", **FULL)
    assert after == FULL | {"version": 2}
    history = await told(desk, "limit=200", len(FULL))
    assert {item["field"] for item in history} == set(FULL)
    assert {item["through"]["type"] for item in history} == {"key"}
    item = next(item for item in history if item["field"] == "auto_close")
    assert item["new"] == FULL["auto_close"]
    assert item["old"] == {
        "enabled": True,
        "chaser_hours": 48,
        "close_hours": 72,
        "business_time": False,
        "wait_hours": None,
    }


REFUSED: tuple[tuple[str, object], ...] = (
    ("default_rate", {"amount": "-1", "currency": "EUR"}),
    ("payment_terms", -1),
    ("seller", {"name": ""}),
    ("tax_rate", "-1"),
    ("tax_rate", "1.123456789"),
    ("tax_rate", "100.001"),
    ("time_rounding", {"rule": "up", "minutes": 0}),
    ("ticket_prefix", ""),
    ("ticket_prefix", "-T"),
    ("ticket_prefix", "T2"),
    ("ticket_prefix", "T["),
    ("ticket_prefix", "T/"),
    ("ticket_prefix", "T-\n"),
    ("ticket_prefix", "T" * 21),
    ("unknown_senders", "bounce"),
    ("new_ticket_addresses", ["team"]),
    ("new_ticket_sources", ["fax"]),
    ("new_ticket_addresses", [f"{n}@example.com" for n in range(51)]),
    ("languages", []),
    ("languages", ["english"]),
    ("timezone", "Mars/Phobos"),
    ("from_name", "n" * 201),
    ("from_address", "help"),
    ("from_address", "a@b\r\nBcc: c@example.com"),
    ("reopen_days", -1),
    ("reopen_days", 3651),
    ("reopen_days", True),
    ("auto_close", {"chaser_hours": 72}),
    ("auto_close", {"chaser_hours": 0}),
    ("auto_close", {"close_hours": 8785}),
    ("auto_close", {"wait_hours": 0}),
    ("auto_close", {"hours": 1}),
    ("targets", {"high": {"first_response": 0}}),
    ("targets", {"high": {"resolution": 527_041}}),
    ("targets", {"urgent": {"resolution": 60}}),
    ("chaser_text", " "),
    ("chaser_text", "c" * 5001),
    ("business_hours", {}),
    ("business_hours", {"monday": ["24:00-24:00"]}),
    ("business_hours", {"monday": ["09:00-17:00", "16:59-18:00"]}),
    ("business_hours", {"monday": ["09:00-17:00"] * 11}),
    ("business_hours", {"someday": ["09:00-17:00"]}),
    ("holidays", ["2025-02-29"]),
    ("holidays", ["2025-01-01"] * 501),
)
OF_CLIENTS = (
    "from_name",
    "from_address",
    "reopen_days",
    "auto_close",
    "business_hours",
    "holidays",
)


async def test_what_is_refused_is_named(desk: Desk) -> None:
    _, place = await client(desk)
    for field, value in REFUSED:
        for of in (SETTINGS, place) if field in OF_CLIENTS else (SETTINGS,):
            answer = await change(desk.api, of, "1", **{field: value})
            assert (answer.status, answer.json["code"]) == (422, "invalid"), (of, field, value)
            assert answer.json["errors"][0]["field"].split(".")[0] == field


async def test_what_is_in_force_for_a_client(desk: Desk) -> None:
    await ready(desk)
    client_id, place = await client(desk)
    seen = await desk.api.get(place)
    assert (seen.headers["ETag"], seen.json["overridden"]) == ('"1"', [])
    assert seen.json["reopen_days"] == 14
    assert "ticket_prefix" not in seen.json
    assert await refusal(desk.api, place, None, reopen_days=3) == (428, "precondition_required")
    assert await refusal(desk.api, place, "1", ticket_prefix="T-") == (422, "invalid")
    after = await changed(desk.api, place, "1", reopen_days=3, holidays=["2026-12-25"])
    assert (after["reopen_days"], after["holidays"]) == (3, ["2026-12-25"])
    assert (set(after["overridden"]), after["version"]) == ({"reopen_days", "holidays"}, 2)
    assert await refusal(desk.api, place, "1", reopen_days=4) == (412, "stale_version")

    await changed(desk.api, SETTINGS, "1", reopen_days=5, from_name="Desk")
    now = await desk.api.get(place, If_None_Match='"2"')
    assert (now.status, now.headers["ETag"]) == (200, '"3"')
    assert (now.json["reopen_days"], now.json["from_name"]) == (3, "Desk")
    assert await refusal(desk.api, place, "2", reopen_days=None) == (412, "stale_version")
    back = await changed(desk.api, place, "3", reopen_days=None)
    assert (back["reopen_days"], back["overridden"]) == (5, ["holidays"])
    assert (await desk.api.get(place, If_None_Match='"4"')).status == 304

    history = await told(desk, f"client_id={client_id}", 3)
    found = [(item["field"], item["old"], item["new"]) for item in history]
    assert sorted(found, key=str) == [
        ("holidays", None, ["2026-12-25"]),
        ("reopen_days", 3, None),
        ("reopen_days", None, 3),
    ]
    everything = (await desk.api.get(f"{HISTORY}?limit=2")).json
    rest = (await desk.api.get(f"{HISTORY}?cursor={everything['next_cursor']}")).json
    assert (len(everything["data"]), len(rest["data"])) == (2, 3)


async def test_a_bound_key_sees_what_is_in_force_for_its_own_client(desk: Desk) -> None:
    await ready(desk)
    mine, place = await client(desk)
    _, other = await client(desk, "Other")
    key = await desk.key("settings:read", "settings:write", client_id=mine)
    assert (await key.get(place)).status == 200
    missing = "/api/v1/clients/99/settings"
    for hidden in (other, missing):
        assert ((await key.get(hidden)).status, (await desk.api.get(missing)).status) == (404, 404)
    for general in (SETTINGS, HISTORY):
        assert (await key.get(general)).status == 403
    for of in (place, other, missing, SETTINGS):
        assert await refusal(key, of, "1", reopen_days=1) == (403, "forbidden")
    assert await refusal(desk.api, missing, "1", reopen_days=1) == (404, "not_found")
    reader = await desk.key("settings:read")
    assert await refusal(reader, place, "1", reopen_days=1) == (403, "forbidden")
    long = await desk.api.send("PATCH", place, {"chaser_text": "x" * 5001}, If_Match='"1"')
    assert long.json["errors"][0]["message"] == "must have at most 5000 characters"
    assert (await desk.key("tickets:read")).key
    assert (await (await desk.key("tickets:read")).get(place)).status == 403


async def test_a_late_answer_of_a_client_is_a_new_ticket(desk: Desk) -> None:
    await ready(desk)
    client_id, place = await client(desk)
    await changed(desk.api, place, "1", reopen_days=0)
    new = {"subject": "s", "body": "b", "client_id": client_id}
    ticket = await desk.api.made("/api/v1/tickets", new)
    await desk.api.post(f"/api/v1/tickets/{ticket['id']}/close", {})
    key = await desk.key("tickets:read", "tickets:write", client_id=client_id)
    answer = await key.post(f"/api/v1/tickets/{ticket['id']}/entries", {"body": "Again!"})
    entry = (await key.get(answer.headers["Location"])).json
    assert entry == answer.json
    assert entry["ticket_id"] != ticket["id"]
    follows = await key.get(f"/api/v1/tickets/{entry['ticket_id']}")
    assert (follows.json["follows"], follows.json["body"]["text"]) == (ticket["id"], "Again!")
    history = f"/api/v1/tickets/{ticket['id']}/history"
    told = await eventually(
        lambda: desk.api.get(history), lambda answer: "followed_by" in str(answer.body)
    )
    assert told.json["data"][-1]["new"]["id"] == entry["ticket_id"]
