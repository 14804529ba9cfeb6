"""Files that were too large for a mail: whoever got it fetches them, for a while."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway_api import LINKS, Desk

from deskwire.links import FeedbackLink, FileLink, InvoiceLink

NOW = datetime.now(UTC)
CONTENT = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def place(id: int, until: datetime = NOW + timedelta(days=1)) -> str:
    return f"/file/{LINKS.token(FileLink(id, 'de'), until)}"


async def on_a_ticket(desk: Desk, kind: str) -> tuple[Any, Any]:
    """A file, and the entry that has it."""
    path = "/api/v1/attachments?name=plan.png"
    file = (await desk.api.call("POST", path, CONTENT, {})).json
    ticket = await desk.api.made("/api/v1/tickets", {"subject": "s", "body": "b"})
    entry = {"kind": kind, "body": "See the plan.", "attachment_ids": [file["id"]]}
    return file, await desk.api.made(f"/api/v1/tickets/{ticket['id']}/entries", entry)


async def test_it_is_saved_whole_or_in_ranges(desk: Desk) -> None:
    file, _ = await on_a_ticket(desk, "public")
    anybody = desk.api.using("")
    answer = await anybody.get(place(file["id"]))
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="plan.png"')
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    part = await anybody.get(place(file["id"]), Range="bytes=8-15")
    assert (part.status, part.body) == (206, CONTENT[8:16])


async def test_only_what_clients_see_is_there_and_as_long_as_they_do(desk: Desk) -> None:
    anybody = desk.api.using("")
    hidden, _ = await on_a_ticket(desk, "internal")
    assert (await anybody.get(place(hidden["id"]))).status == 404
    file, entry = await on_a_ticket(desk, "public")
    assert (await anybody.get(place(file["id"], NOW - timedelta(seconds=1)))).status == 410
    token = LINKS.token(FeedbackLink(file["id"], 1, "en"), NOW + timedelta(days=1))
    assert (await anybody.get(f"/file/{token}")).status == 404
    assert (await anybody.call("POST", place(file["id"]), b"", {})).status == 405
    gone = f"/api/v1/tickets/{entry['ticket_id']}/entries/{entry['id']}"
    assert (await desk.api.call("DELETE", gone, None, {})).status in (200, 204)
    assert (await anybody.get(place(file["id"]))).status == 404


async def test_an_invoice_is_not_printed_without_end(desk: Desk) -> None:
    """They are printed one at a time, for those with keys, too."""
    anybody, until = desk.api.using(""), NOW + timedelta(days=1)
    place = f"/invoice/{LINKS.token(InvoiceLink(7, 'de'), until)}"
    statuses = [(await anybody.get(place)).status for _ in range(21)]
    assert statuses == [404] * 20 + [429]
    other = f"/invoice/{LINKS.token(InvoiceLink(8, 'de'), until)}"
    assert (await anybody.get(other)).status == 404
