"""Lists of records: narrowed by words, values and client, in order, a page at a time."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from gateway_api import Api, Desk
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.records import Agent
from gateway.readmodel.lookups import SEPARATOR
from gateway.readmodel.words import SORTED_CHARACTERS, folded, searched, sort_key, words

AT = datetime(2024, 1, 1, tzinfo=UTC)


async def names(api: Api, query: str) -> list[str]:
    answer = await api.get(f"/api/v1/contacts?{quote(query, safe='=&+')}")
    assert answer.status == 200, answer.body
    return [contact["name"] for contact in answer.json["data"]]


async def test_lists_are_narrowed_ordered_and_paged(desk: Desk) -> None:
    for client in ("One", "Two"):
        await desk.api.made("/api/v1/clients", {"name": client})
    people = (
        ("Zoë Müller", "zoe@example.com", 1),
        ("anna Schmidt-Ärzte", "Anna.S@example.org", 1),
        ("Ärik O'Neil", None, 2),
        ("bob", "bob@example.com", 2),
        ("Bob", "bob@example.com", 1),
    )
    for name, email, client_id in people:
        new = {"name": name, "email": email, "client_id": client_id}
        await desk.api.made("/api/v1/contacts", new)
    ordered = ["anna Schmidt-Ärzte", "Ärik O'Neil", "bob", "Bob", "Zoë Müller"]
    for query, wanted in (
        ("sort=name", ordered),
        ("sort=-name", ordered[::-1]),
        ("sort=-id&client_id=2", ["bob", "Ärik O'Neil"]),
        ("client_id=1,2&sort=name&q=BO", ["bob", "Bob"]),
        ("q=mull", ["Zoë Müller"]),
        ("q=MÜLLER+zo", ["Zoë Müller"]),
        ("q=schm", ["anna Schmidt-Ärzte"]),
        ("q=chmidt", []),
        ("q=anna.s@ex", ["anna Schmidt-Ärzte"]),
        ("q=o'n", ["Ärik O'Neil"]),
        ("q=arik&client_id=1", []),
        ("name=BOB&sort=-id", ["Bob", "bob"]),
        ("name=bo", []),
        ("email=BOB@example.com&client_id=2", ["bob"]),
        ("email=bob@example.com&name=bob&q=b", ["bob", "Bob"]),
    ):
        assert await names(desk.api, query) == wanted, query
    for sort in ("name", "-name", "id"):
        found: list[str] = []
        cursor = ""
        while True:
            path = f"/api/v1/contacts?sort={sort}&limit=2&total=true{cursor}"
            page = (await desk.api.get(path)).json
            found += [contact["name"] for contact in page["data"]]
            assert page["total"] == 5
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert found == await names(desk.api, f"sort={sort}")
        mixed = await desk.api.get(f"/api/v1/contacts?sort=-id{cursor}")
        assert (mixed.status, mixed.json["code"]) == (400, "malformed")


@pytest.mark.parametrize("query", ["archived=yes", "sort=email", "q=" + "q" * 201, "colour=red"])
async def test_parameters_that_there_are_not(desk: Desk, query: str) -> None:
    assert (await desk.api.get(f"/api/v1/contacts?{query}")).status == 422


@pytest.mark.parametrize(
    "place", ['["name","a\\u0000",1]', '["name",7,1]', '["name","a","1"]', "[]"]
)
async def test_cursors_that_are_not_ours(lonely_desk: Desk, place: str) -> None:
    cursor = urlsafe_b64encode(place.encode()).decode()
    answer = await lonely_desk.api.get(f"/api/v1/contacts?sort=name&cursor={cursor}")
    assert (answer.status, answer.json["code"]) == (400, "malformed")


def test_words_are_folded() -> None:
    assert folded(" Ärzte\u00a0 STRASSE ") == folded("arzte straße") == "arzte strasse"
    assert searched("contact", "o'n \\") == "'contact:o''n':* & 'contact:\\\\':*"


@given(st.text(max_size=300))
def test_every_text_makes_words_that_fit(text: str) -> None:
    agent = Agent(id=1, name=text, email="a@example.com", created_at=AT)
    for word in words("agent", agent).split(SEPARATOR):
        assert word.startswith("agent:")
        assert len(word.encode("utf-8", "surrogatepass")) < 2046
    assert len(sort_key(text)) <= SORTED_CHARACTERS
