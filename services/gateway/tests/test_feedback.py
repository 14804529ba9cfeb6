"""The page that the closing mail leads to: no key, two clicks, in the contact's language."""

import base64
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from gateway_api import LINKS, Answer, Desk, eventually

from deskwire.links import FeedbackLink, Links
from gateway.linked.page import LANGUAGES

SOON = datetime.now(UTC) + timedelta(days=1)
AGO = datetime.now(UTC) - timedelta(seconds=1)
MONTH = urlencode({"from": f"{AGO - timedelta(30):%FT%TZ}", "to": f"{SOON:%FT%TZ}"})
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def ticket(desk: Desk, subject: str = "Printer") -> dict[str, Any]:
    client = await desk.api.made("/api/v1/clients", {"name": "Client"})
    contact = {"client_id": client["id"], "name": "Alice", "email": "alice@client.test"}
    await desk.api.made("/api/v1/contacts", contact | {"primary": True})
    values = {"subject": subject, "body": "It burns.", "client_id": client["id"]}
    made: dict[str, Any] = await desk.api.made("/api/v1/tickets", values)
    return made


def place(of: dict[str, Any], language: str = "en", until: datetime = SOON, **ids: int) -> str:
    claim = FeedbackLink(ids.get("ticket", of["id"]), of["contact"]["id"], language)
    return f"/feedback/{LINKS.token(claim, until)}"


async def vote(desk: Desk, path: str, body: bytes = b"", **fields: str) -> Answer:
    """As a browser sends the form."""
    said = body or urlencode(fields, quote_via=quote).encode()
    return await desk.api.using("").call("POST", path, said, FORM)


async def feedback(desk: Desk, of: dict[str, Any]) -> Any:
    return (await desk.api.get(f"/api/v1/tickets/{of['id']}")).json["feedback"]


async def test_looking_is_no_vote_and_sending_is(desk: Desk) -> None:
    of = await ticket(desk)
    path, anybody = place(of), desk.api.using("")
    page = await anybody.get(f"{path}?rating=bad")
    assert page.status == 200
    assert 'value="bad" required checked' in page.body.decode()
    assert await feedback(desk, of) is None
    said = await vote(desk, path, rating="bad", comment=" It took\r\na week.\0 ")
    assert said.status == 200
    assert "Thank you" in said.body.decode()
    kept = await feedback(desk, of)
    assert (kept["rating"], kept["comment"]) == ("bad", "It took\na week.")
    assert (kept["by"]["type"], kept["by"]["name"]) == ("contact", "Alice")
    again = await anybody.get(path)
    assert 'value="bad" required checked' in again.body.decode()
    assert "It took\na week.</textarea>" in again.body.decode()
    assert (await vote(desk, path, rating="good")).status == 200
    kept = await feedback(desk, of)
    assert (kept["rating"], kept["comment"]) == ("good", None)


async def test_it_is_found_exported_and_in_the_history(desk: Desk) -> None:
    of, other = await ticket(desk), await ticket(desk)
    await vote(desk, place(of), rating="bad", comment="=1+1")
    found = await desk.api.get("/api/v1/tickets?feedback=bad")
    assert [one["id"] for one in found.json["data"]] == [of["id"]]
    assert (await desk.api.get("/api/v1/tickets?feedback=good")).json["data"] == []
    assert (await desk.api.get("/api/v1/tickets?feedback=fine")).status == 422
    for each in (of, other):
        await desk.api.call("POST", f"/api/v1/tickets/{each['id']}/close", b"{}", JSON)
    report = (await desk.api.get(f"/api/v1/reports/tickets?{MONTH}")).json
    assert report["feedback"] == {"closed": 2, "good": 0, "bad": 1}
    elsewhere = f"/api/v1/reports/tickets?{MONTH}&client_id={other['client']['id']}"
    assert (await desk.api.get(elsewhere)).json["feedback"]["bad"] == 0
    table = (await desk.api.get("/api/v1/tickets/export.csv")).body.decode()
    assert ",bad,'=1+1," in table
    history = f"/api/v1/tickets/{of['id']}/history"
    told = await eventually(lambda: desk.api.get(history), lambda answer: bool(answer.json["data"]))
    assert told.json["data"][0]["field"] == "feedback"
    rows = await desk.api.get(f"/api/v1/tickets/read.php?api_key={desk.api.key}")
    ratings = {row["ticket_id"]: row["ticket_feedback"] for row in rows.json["data"]}
    assert ratings == {str(of["id"]): "Bad", str(other["id"]): None}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_is_whole_and_in_the_contact_s_language(desk: Desk, language: str) -> None:
    of = await ticket(desk, 'A <b>"bold"</b> & {{ 7*7 }}')
    page = await desk.api.using("").get(
        place(of, f"{language}-XX" if language == "de" else language)
    )
    html = page.body.decode()
    assert f'<html lang="{language}">' in html
    assert "A &lt;b&gt;" in html
    assert "{{ 7*7 }}" in html
    assert not re.search(r"<script|src=|url\(|https?:", html)
    assert 'name="viewport"' in html
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert base64.b64encode(sha256(style.encode()).digest()).decode() in policy


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_no_link_is_not_there(desk: Desk, method: str) -> None:
    of = await ticket(desk)
    good = place(of)
    elsewhere = Links.of("the key of somebody else").token(FeedbackLink(of["id"], 1, "en"), SOON)
    anybody = desk.api.using("")
    for path, status in (
        (good[:-3] + "AAA", 404),
        (f"/feedback/{elsewhere}", 404),
        ("/feedback/%00%ff", 404),
        ("/feedback/x", 404),
        (place(of, ticket=4711), 404),
        (place(of, until=AGO), 410),
    ):
        answer = await anybody.call(method, path, b"rating=good", FORM | {"Accept-Language": "de"})
        assert (path, answer.status) == (path, status)
        assert '<html lang="de">' in answer.body.decode()
    assert await feedback(desk, of) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rating=great",
        b"comment=x",
        b"\xff\xfe\x00",
        b"rating=good&comment=" + b"x" * 2001,
        b"a=b&" * 1000 + b"rating=good",
        b'{"rating": "good"}',
    ],
)
async def test_what_says_nothing_is_asked_again(desk: Desk, body: bytes) -> None:
    of = await ticket(desk)
    answer = await vote(desk, place(of), body or b"&")
    assert answer.status == 422
    assert 'role="alert"' in answer.body.decode()
    assert await feedback(desk, of) is None


async def test_too_large_a_form_is_refused_before_it_is_read(desk: Desk) -> None:
    of = await ticket(desk)
    assert (await vote(desk, place(of), b"comment=" + b"x" * 70_000)).status == 413


async def test_guessing_and_flooding_end(desk: Desk) -> None:
    of = await ticket(desk)
    path, anybody = place(of), desk.api.using("")
    statuses = [(await anybody.get("/feedback/guess")).status for _ in range(31)]
    assert statuses == [404] * 30 + [429]
    assert (await anybody.get(path)).status == 200
    votes = [await vote(desk, path, rating="good" if n % 2 else "bad") for n in range(21)]
    assert [answer.status for answer in votes] == [200] * 20 + [429]
    assert votes[-1].headers["Retry-After"] == "60"


async def test_without_a_key_there_are_no_links(lonely_desk: Desk) -> None:
    of = {"id": 1, "contact": {"id": 1}}
    assert (await lonely_desk.api.using("").get(place(of))).status == 404
