"""No more mails: pages with one button, and the POST that mail programs send themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from gateway_api import LINKS, Desk, gateway

from deskwire.links import DigestLink, FeedbackLink, WatcherLink
from deskwire.testing import FreshDatabase
from gateway.linked.page import LANGUAGES

SOON = datetime.now(UTC) + timedelta(days=1)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)


async def watched(desk: Desk) -> Any:
    values = {"subject": "Printer", "body": "It burns.", "watchers": ["wim@client.test"]}
    return await desk.api.made("/api/v1/tickets", values)


def place(of: Any, language: str = "en", email: str = "wim@client.test") -> str:
    claim = WatcherLink(of["id"], email, of["reference"], language)
    return f"/unwatch/{LINKS.token(claim, SOON)}"


async def watchers(desk: Desk, of: Any) -> Any:
    return (await desk.api.get(f"/api/v1/tickets/{of['id']}")).json["watchers"]


@pytest.mark.parametrize("language", LANGUAGES)
async def test_looking_at_it_is_not_leaving(desk: Desk, language: str) -> None:
    of = await watched(desk)
    page = await desk.api.using("").get(place(of, language))
    assert page.status == 200
    assert f'<html lang="{language}">' in page.body.decode()
    assert page.body.decode().count("<button") == 1
    assert "TCK-1" in page.body.decode()
    assert await watchers(desk, of) == ["wim@client.test"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (ONE_CLICK, FORM),
        (MULTIPART, {"Content-Type": "multipart/form-data; boundary=b"}),
    ],
)
async def test_a_watcher_leaves_by_the_button_or_by_the_mail_program(
    desk: Desk, body: bytes, kind: dict[str, str]
) -> None:
    of = await watched(desk)
    for _ in range(2):
        answer = await desk.api.using("").call("POST", place(of), body, kind)
        assert answer.status == 200
        assert "no more mails about it" in answer.body.decode()
        assert "<button" not in answer.body.decode()
        assert await watchers(desk, of) == []


async def test_a_link_is_for_one_address_one_ticket_one_purpose(desk: Desk) -> None:
    of = await watched(desk)
    anybody = desk.api.using("")
    assert (await anybody.call("POST", place(of, email="o@c.test"), ONE_CLICK, FORM)).status == 200
    feedback = LINKS.token(FeedbackLink(of["id"], 1, "en"), SOON)
    digest = LINKS.token(DigestLink(of["id"], "daily", "en"), SOON)
    for token in (feedback, digest):
        assert (await anybody.call("POST", f"/unwatch/{token}", b"", FORM)).status == 404
    assert await watchers(desk, of) == ["wim@client.test"]
    gone = place({"id": 4711, "reference": "TCK-4711"})
    assert (await anybody.call("POST", gone, b"", FORM)).status == 404


async def test_what_cannot_be_kept_now_is_told(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    path = f"/unsubscribe/{LINKS.token(DigestLink(7, 'daily', 'de'), SOON)}"
    told = {"request_seconds": 0.1}
    async with gateway(fresh_database, broker_url, **told) as alone:
        anybody = alone.api.using("")
        page = await anybody.get(path)
        assert "Keine solchen Zusammenfassungen mehr?" in page.body.decode()
        answer = await anybody.call("POST", path, ONE_CLICK, FORM | {"Accept-Language": "nl, en"})
    assert answer.status == 503
    assert "over een minuut opnieuw" in answer.body.decode()
    assert answer.headers["Retry-After"] == "60"
