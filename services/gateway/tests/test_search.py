"""Full-text search of tickets, as people type it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from gateway_api import Answer, Api, Desk, eventually

TICKETS = "/api/v1/tickets"


def ids(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer.json["data"]]


async def ticket(api: Api, subject: str, body: str = "b", **values: object) -> int:
    return int((await api.made(TICKETS, {"subject": subject, "body": body} | values))["id"])


async def entry(api: Api, on: int, body: str, kind: str = "public") -> int:
    path = f"{TICKETS}/{on}/entries"
    return int((await api.made(path, {"body": body, "kind": kind}))["id"])


async def finds(api: Api, q: str, expected: Sequence[int], query: str = "") -> None:
    """The words are there as soon as the projector has heard of them."""
    path = f"{TICKETS}?q={quote(q)}{query}"
    with suppress(TimeoutError):
        await eventually(lambda: api.get(path), lambda answer: ids(answer) == list(expected))
    assert ids(await api.get(path)) == list(expected), q


async def test_words_phrases_beginnings(desk: Desk) -> None:
    api = desk.api
    one = await ticket(api, "Printer on fire", "The toner leaks since Monday")
    two = await ticket(api, "Mail is slow", "on Monday the printer was slow too")
    three = await ticket(api, "Café à l'étage", "Straße 12")
    for q, expected in (
        ("printer", [one, two]),  # the subject comes before the text
        ("PRINTER toner", [one]),  # one word of each
        ("monday printer slow", [two]),
        ('"printer on fire"', [one]),
        ('"on printer"', []),
        ("printer -toner", [two]),
        ('printer -"the printer"', [one]),
        ("prin", [two, one]),  # the beginning of the last word
        ("prin toner", []),  # but of no other
        ("pr", []),
        ("cafe etage", [three]),
        ("CAFÉ", [three]),
        (f"TCK-{two}", [two]),
        (f"tck-{two} slow", [two]),
        ("nowhere", []),
        ("it's", []),
        ("monday", [two, one]),  # the newest first
    ):
        await finds(api, q, expected)


async def test_languages_without_blanks_between_words(desk: Desk) -> None:
    api = desk.api
    one = await ticket(api, "二階の印刷機", "今朝から印刷機が壊れました。ABC株式会社です")
    two = await ticket(api, "打印机坏了", "机器今天打不开")
    three = await ticket(api, "เครื่องพิมพ์เสีย")
    for q, expected in (
        ("印刷機", [one]),
        ("壊れ", [one]),
        ("壊れ 二階", [one]),
        ("機印", []),  # in this order alone
        ("abc株式", [one]),
        ("打印机", [two]),
        ("打印机 -今天", []),
        ("พิมพ์", [three]),
    ):
        await finds(api, q, expected)


async def test_contact_is_found(desk: Desk) -> None:
    api = desk.api
    client = await api.made("/api/v1/clients", {"name": "Acme"})
    contact = {"client_id": client["id"], "name": "Ann O'Hara", "email": "ann.ohara@example.com"}
    made = await api.made("/api/v1/contacts", contact)
    one = await ticket(api, "Toner", client_id=client["id"], contact_id=made["id"])
    await ticket(api, "Toner")
    for q in ("ann", "o'hara", "ann.ohara@example.com", "example.com", "toner ohara"):
        await finds(api, q, [one])


async def test_notes_are_found_by_the_team_alone(desk: Desk) -> None:
    api = desk.api
    client = await api.made("/api/v1/clients", {"name": "Acme"})
    other = await api.made("/api/v1/clients", {"name": "Initech"})
    one = await ticket(api, "Toner", client_id=client["id"])
    await entry(api, one, "they never pay", kind="internal")
    await entry(api, one, "we are coming")
    await finds(api, "never pay", [one])
    await finds(api, "coming", [one])
    bound = await desk.key("tickets:read", client_id=client["id"])
    assert ids(await bound.get(f"{TICKETS}?q=coming")) == [one]
    assert ids(await bound.get(f"{TICKETS}?q=toner%20-pay")) == [one]
    assert ids(await bound.get(f"{TICKETS}?q=never%20pay")) == []
    foreign = await desk.key("tickets:read", client_id=other["id"])
    assert ids(await foreign.get(f"{TICKETS}?q=toner")) == []
    for query, expected in ((f"client_id={client['id']}", [one]), (f"client_id={other['id']}", [])):
        assert ids(await api.get(f"{TICKETS}?q=pay&{query}")) == expected
    path = f"/api/v1/clients/{client['id']}/tickets?q="
    assert ids(await api.get(f"{path}pay")) == [one]
    assert ids(await api.get(f"{path}nowhere")) == []


async def test_words_follow_what_is_changed(desk: Desk) -> None:
    api = desk.api
    one = await ticket(api, "Toner", "alpha")
    secret = await entry(api, one, "the password is hunter2")
    await finds(api, "hunter2 toner", [one])
    await api.call("DELETE", f"{TICKETS}/{one}/entries/{secret}", None, {})
    await finds(api, "hunter2", [])
    now = (await api.get(f"{TICKETS}/{one}")).headers["ETag"]
    changed = await api.send("PATCH", f"{TICKETS}/{one}", {"subject": "Ink"}, If_Match=now)
    assert changed.status == 200, changed.body
    await finds(api, "ink alpha", [one])
    assert ids(await api.get(f"{TICKETS}?q=toner")) == []


async def test_merged_entries_count_for_their_target(desk: Desk) -> None:
    api = desk.api
    target, source = await ticket(api, "Toner", "alpha"), await ticket(api, "Ink", "beta")
    await finds(api, "beta", [source])
    answer = await api.post(f"{TICKETS}/{source}/merge", {"into": target, "reason": "same"})
    assert answer.status == 200, answer.body
    await finds(api, "beta toner", [target])
    await finds(api, "ink", [source])


async def test_pages_of_a_search(desk: Desk) -> None:
    api = desk.api
    subjects = ("Toner", "Other", "Toners", "Toner", "Other")
    made = [
        await ticket(api, subject, "toner" if subject == "Other" else "b") for subject in subjects
    ]
    best = [made[3], made[0], made[4], made[1], made[2]]
    await finds(api, "toner", best, "&total=true")
    found, cursor = [], ""
    page: Any = {"next_cursor": ""}
    while page["next_cursor"] is not None:
        page = (await api.get(f"{TICKETS}?q=toner&limit=2&total=true{cursor}")).json
        found.append([each["id"] for each in page["data"]])
        assert page["total"] == 5
        cursor = f"&cursor={page['next_cursor']}"
    assert found == [best[:2], best[2:4], best[4:]]
    assert ids(await api.get(f"{TICKETS}?q=toner&sort=number")) == made
    page = (await api.get(f"{TICKETS}?q=toner&sort=-number&limit=3&total=true")).json
    assert (page["total"], [each["id"] for each in page["data"]]) == (5, made[:1:-1])
    rest = await api.get(f"{TICKETS}?q=toner&sort=-number&limit=3&cursor={page['next_cursor']}")
    assert ids(rest) == [made[1], made[0]]
    assert (await api.get(f"{TICKETS}?q=toner&cursor={page['next_cursor']}")).status == 400


async def test_search_with_filters(desk: Desk) -> None:
    api = desk.api
    low = await ticket(api, "Toner", tags=["VIP"])
    high = await ticket(api, "Toner", priority="high", category="Hard ware")
    await finds(api, "toner", [high, low])
    assert ids(await api.get(f"{TICKETS}?q=toner&priority=high")) == [high]
    assert ids(await api.get(f"{TICKETS}?q=toner&tag=vip")) == [low]
    assert ids(await api.get(f"{TICKETS}?q=toner&category=hard%20WARE&status=open")) == [high]
    assert ids(await api.get(f"{TICKETS}?q=toner&tag=vip&priority=high")) == []


@pytest.mark.parametrize("q", ["", "%20", "-", "-toner", "%22%22", "!%26|", "x" * 201])
async def test_nothing_to_look_for(lonely_desk: Desk, q: str) -> None:
    answer = await lonely_desk.api.get(f"{TICKETS}?q={q}")
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "q"), answer.body


@pytest.mark.parametrize(
    "q", ["a'b\\", "a:*b", "(a|b)&!c", '"a', "a%00b", "%F0%9F%94%A5fire", "<->x"]
)
async def test_what_is_syntax_elsewhere_is_text_here(lonely_desk: Desk, q: str) -> None:
    answer = await lonely_desk.api.get(f"{TICKETS}?q={quote(q)}")
    assert (answer.status, answer.json["data"]) == (200, []), answer.body
