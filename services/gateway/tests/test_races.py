"""Many at once: numbers without gaps, one winner of each race, and nobody gets a 500."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from gateway_api import Answer, Desk, eventually
from test_invoices import EVER, INVOICES, client, worked

TICKETS = "/api/v1/tickets"
MISSING = 987_654_321


def counted(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def opened(desk: Desk, count: int = 1) -> list[int]:
    given = {"subject": "s", "body": "b"}
    return [ticket["id"] for ticket in [await desk.api.made(TICKETS, given) for _ in range(count)]]


async def test_numbers_of_two_hundred_at_once_are_without_gap(desk: Desk) -> None:
    """A quarter of them fails, by what is only found out while they are opened."""
    good = {"subject": "s", "body": "b"}
    bad = good | {"assigned_to": MISSING}
    calls = [("POST", TICKETS, bad if n % 4 == 0 else good) for n in range(200)]
    answers = await desk.api.at_once(*calls)
    assert counted(answers) == {201: 150, 404: 50}
    made = sorted((a.json for a in answers if a.status == 201), key=lambda ticket: ticket["id"])
    assert [ticket["number"] for ticket in made] == list(range(1, 151))


async def test_of_many_who_invoice_at_once_each_minute_is_billed_to_one(desk: Desk) -> None:
    of = await client(desk.api)
    tickets = [await worked(desk.api, of, 60, 600) for _ in range(2)]
    for ticket in tickets:
        assert (await desk.api.post(f"{ticket}/close", {})).status == 200
    month: tuple[str, str, object] = ("POST", INVOICES, EVER | {"client_id": of})
    each_ticket = [("POST", f"{ticket}/invoice", None) for ticket in tickets]
    answers = await desk.api.at_once(*[month, *each_ticket] * 7)
    made = [answer.json for answer in answers if answer.status == 201]
    assert counted(answers) == {201: len(made), 409: 21 - len(made)}
    assert sorted(invoice["number"] for invoice in made) == list(range(1, len(made) + 1))
    lines = [line for invoice in made for line in invoice["lines"]]
    assert [line["seconds"] for line in lines] == [660, 660]


async def test_one_of_fifty_who_saw_the_same_version_wins(desk: Desk) -> None:
    (id,) = await opened(desk)
    calls = [("PATCH", f"{TICKETS}/{id}", {"subject": f"{n}"}) for n in range(50)]
    answers = await desk.api.at_once(*calls, If_Match='"1"')
    assert counted(answers) == {200: 1, 412: 49}
    (won,) = (answer.json for answer in answers if answer.status == 200)
    assert (await desk.api.get(f"{TICKETS}/{id}")).json == won


async def test_fifty_who_close_and_reopen_leave_one_history(desk: Desk) -> None:
    """Each move that was one is in the history, from what it was to what it became."""
    (id,) = await opened(desk)
    calls = [("POST", f"{TICKETS}/{id}/{move}", None) for move in ["close", "reopen"] * 25]
    assert counted(await desk.api.at_once(*calls)) == {200: 50}
    ticket = (await desk.api.get(f"{TICKETS}/{id}")).json
    assert (ticket["closed_at"] is not None) is (ticket["status"] == "closed")
    history = await eventually(
        partial(desk.api.get, f"{TICKETS}/{id}/history?limit=200"),
        lambda answer: len(answer.json["data"]) >= ticket["version"] - 1,
    )
    before = "open"
    for item in history.json["data"]:
        assert (item["old"], item["new"] != before) == (before, True)
        before = item["new"]
    assert (before, len(history.json["data"])) == (ticket["status"], ticket["version"] - 1)


async def test_merging_each_into_the_other_has_one_winner(desk: Desk) -> None:
    ids = await opened(desk, 12)
    pairs = list(zip(ids[::2], ids[1::2], strict=True))
    crossed = [way for one, other in pairs for way in ((one, other), (other, one))]
    answers = await desk.api.at_once(
        *(("POST", f"{TICKETS}/{a}/merge", {"into": b}) for a, b in crossed)
    )
    assert counted(answers) == {200: 6, 409: 6}
    for one, other in pairs:
        both = [(await desk.api.get(f"{TICKETS}/{id}")).json for id in (one, other)]
        assert [ticket["merged_into"] for ticket in both] in ([other, None], [None, one])


async def test_a_ring_of_merges_at_once_makes_no_circle(desk: Desk) -> None:
    ids = await opened(desk, 6)
    ring = zip(ids, ids[1:] + ids[:1], strict=True)
    merges = [("POST", f"{TICKETS}/{a}/merge", {"into": b}) for a, b in ring]
    replies = [("POST", f"{TICKETS}/{id}/entries", {"body": "b"}) for id in ids]
    answers = await desk.api.at_once(*merges, *replies)
    assert set(counted(answers)) <= {200, 201, 409}
    assert counted(answers)[201] == 6
    listed = await eventually(partial(desk.api.get, TICKETS), lambda a: rests(a.json["data"]))
    roots = [ticket for ticket in listed.json["data"] if ticket["merged_into"] is None]
    assert sum(root["entry_count"] for root in roots) == 12
    assert {id for root in roots for id in (root["id"], *root["merged_from"])} == set(ids)


def rests(tickets: Sequence[dict[str, Any]]) -> bool:
    """All is shown on tickets that are not merged themselves, and those know of it."""
    roots = {ticket["id"] for ticket in tickets if ticket["merged_into"] is None}
    return bool(roots) and {ticket["merged_into"] or ticket["id"] for ticket in tickets} == roots
