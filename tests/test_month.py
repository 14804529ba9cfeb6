"""A month of a client, from its mail to an invoice that is made void and made anew; over HTTP."""

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from launching import maildir
from pypdf import PdfReader
from whole import Whole, drop, mail, told, until, whole

from deskwire.testing import FreshDatabase

NOW = datetime.now(UTC)
MONTH = {"from": f"{NOW - timedelta(20):%FT%TZ}", "to": f"{NOW + timedelta(10):%FT%TZ}"}


@pytest.fixture
async def running(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Whole]:
    inbox = maildir(tmp_path / "inbox")
    settings = told(f"memory://{uuid4()}", tmp_path, mailboxes=[f"maildir:{inbox}"])
    async with whole(fresh_database, settings) as running:
        yield running


async def agreed(running: Whole) -> None:
    """With the client: a rate, a language, terms. With everybody: tax, and that tickets cost."""
    rate = {"amount": "90.00", "currency": "EUR"}
    terms = {"rate": rate, "language": "de", "net_terms": 14}
    await done(running, "PATCH", f"/clients/{running.client_id}", terms)
    settings = {
        "seller": {"name": "Example IT", "address": "1 Example Street"},
        "tax_rate": "19",
        "tickets_billable": True,
        "time_rounding": {"rule": "up", "minutes": 15},
    }
    await done(running, "PATCH", "/settings", settings, If_Match='"2"')


async def done(running: Whole, method: str, path: str, body: object = None, **sent: str) -> Any:
    answer = await running.api(method, path, body, **sent)
    assert answer.status in (200, 202), answer.body
    return answer.json


async def worked_by_mail(running: Whole, inbox: Path) -> str:
    """A mail's ticket: a timer, an answer that took time, and the time to answer it passed."""
    drop(inbox, mail("Printer").as_bytes())
    (ticket,) = await until(running.tickets)
    place = f"/tickets/{ticket['id']}"
    assert ticket["billable"]
    await running.created(f"{place}/time/start", {"agent_id": 1})
    await done(running, "POST", f"{place}/time/stop", {"agent_id": 1})
    answer = {"kind": "public", "body": "It was the toner.", "time_worked": 1000}
    await running.created(f"{place}/entries", answer | {"status": "auto-close"})
    waits = (await running.api("GET", place)).json
    assert (waits["status"], waits["auto_close"]["chased_at"]) == ("auto-close", None)
    await done(running, "POST", f"{place}/close")
    return place


async def worked_on_schedule(running: Whole) -> str:
    ticket = {"subject": "Backups", "body": "- [ ] All", "client_id": running.client_id}
    schedule = {"name": "Backups", "cron": "0 9 1 * *", "rotation": [1], "ticket": ticket}
    made = await running.created("/scheduled-tickets", schedule)
    await done(running, "POST", f"/scheduled-tickets/{made['id']}/run")

    async def opened() -> Any:
        return [each for each in await running.tickets() if each["source"] == "schedule"]

    (found,) = await until(opened)
    place = f"/tickets/{found['id']}"
    await running.created(f"{place}/time", {"agent_id": 1, "seconds": 3600, "note": "All there"})
    await running.created(f"{place}/time", {"agent_id": 1, "seconds": 600, "billable": False})
    await done(running, "POST", f"{place}/close")
    return place


async def test_the_month_is_billed_once(running: Whole, tmp_path: Path) -> None:
    await agreed(running)
    by_mail = await worked_by_mail(running, tmp_path / "inbox")
    await worked_on_schedule(running)
    month = MONTH | {"client_id": running.client_id}
    draft = await running.created("/invoices", month)
    lines = [(line["description"], line["quantity"]) for line in draft["lines"]]
    assert lines == [("Printer", "0.5000"), ("Backups", "1.0000")]
    sums = [draft[name]["amount"] for name in ("subtotal", "tax", "total")]
    assert sums == ["135.00", "25.65", "160.65"]
    assert (await running.api("POST", "/invoices", month)).status == 409

    place = f"/invoices/{draft['id']}"
    issued = await done(running, "POST", f"{place}/issue")
    days = [datetime.fromisoformat(issued[name]) for name in ("date", "due")]
    assert (issued["state"], days[1] - days[0]) == ("issued", timedelta(14))
    pdf = await running.api("GET", f"{place}.pdf")
    (page,) = PdfReader(io.BytesIO(pdf.body)).pages
    text = " ".join(page.extract_text().split())
    assert [each for each in ("Rechnung", "INV-1", "160,65 €", "TCK-1") if each not in text] == []

    assert (await running.api("POST", f"{by_mail}/invoice", {})).status == 409
    await done(running, "POST", f"{place}/void", {"reason": "Another rate"})
    rate = {"rate": {"amount": "60.00", "currency": "EUR"}}
    anew = await running.created(f"{by_mail}/invoice", rate)
    assert (anew["reference"], anew["subtotal"]["amount"]) == ("INV-2", "30.00")
    whole_of_it = await running.created("/invoices", month)
    assert [line["description"] for line in whole_of_it["lines"]] == ["Backups"]
    await running.settled()
    history = (await running.api("GET", f"{by_mail}/history")).json["data"]
    named = [each["new"] and each["new"]["name"] for each in history if each["field"] == "invoice"]
    assert named == ["INV-1", None, "INV-2"]
