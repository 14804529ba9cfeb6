"""Who is told of what, from outside: over HTTP, and by mail as it arrives at an SMTP server."""

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest
from launching import maildir
from whole import Whole, drop, mail, told, until, whole

from deskwire.contracts.notifications import AgentEvent
from deskwire.local import Smtp
from deskwire.testing import FreshDatabase

ANN, ALICE, TOM = "ann@example.com", "alice@client.test", "tom@client.test"


@dataclass
class Desk:
    running: Whole
    smtp: Smtp
    inbox: Path
    ann: int

    async def mail_to(self, recipient: str, containing: str) -> EmailMessage:
        async def arrived() -> EmailMessage | None:
            for taken in self.smtp.mails:
                if recipient in taken.recipients and containing.encode() in taken.raw:
                    return message_from_bytes(taken.raw, policy=policy.default)
            return None

        found: EmailMessage = await until(arrived)
        return found

    def subjects_to(self, recipient: str) -> list[str]:
        mails = (message_from_bytes(m.raw) for m in self.smtp.mails if recipient in m.recipients)
        return [mail["Subject"].partition(" - ")[0] for mail in mails]

    async def ticket(self, **fields: Any) -> str:
        """The path of a new one."""
        body = {"subject": "Scanner", "body": "It hums.", "client_id": self.running.client_id}
        return f"/tickets/{(await self.running.created('/tickets', body | fields))['id']}"

    async def outbound(self, query: str) -> list[Any]:
        answer = await self.running.api("GET", f"/mail/outbound?{query}")
        assert answer.status == 200, answer.body
        return list(answer.json["data"])


@pytest.fixture
async def desk(
    fresh_database: FreshDatabase, smtp_server: Smtp, tmp_path: Path
) -> AsyncIterator[Desk]:
    inbox = maildir(tmp_path / "inbox")
    settings = told(
        f"memory://{uuid4()}", tmp_path, mailboxes=[f"maildir:{inbox}"], smtp_url=smtp_server.url
    )
    async with whole(fresh_database, settings) as running:
        agents = (await running.api("GET", "/agents")).json["data"]
        yield Desk(running, smtp_server, inbox, agents[0]["id"])


async def page(desk: Desk, url: str, form: bytes | None = None) -> str:
    """What is at a link of a mail; sent with a form, as a browser does."""
    place = url.removeprefix("https://desk.example.com")
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    address = f"http://127.0.0.1:{desk.running.told['port']}{place}"
    wanted = urllib.request.Request(address, form, kind if form is not None else {})
    with await asyncio.to_thread(urllib.request.urlopen, wanted) as answer:
        return str(answer.read().decode())


async def test_a_contact_says_how_it_went_with_a_second_click(desk: Desk) -> None:
    place = await desk.ticket(assigned_to=desk.ann, watchers=["wim@client.test"])
    assert (await desk.running.api("POST", f"{place}/close", {})).status == 200
    closed = await desk.mail_to(ALICE, "Ticket closed")
    to_watcher = await desk.mail_to("wim@client.test", "Ticket closed")
    assert "rating=" not in to_watcher.as_string()
    body = closed.get_body(("plain",))
    assert body is not None
    links = re.findall(r"https://desk\.example\.com/feedback/\S+", body.get_content())
    assert [link.partition("?")[2] for link in links] == ["rating=good", "rating=bad", ""]
    assert "How did we do?" in await page(desk, links[1])
    assert (await desk.running.api("GET", place)).json["feedback"] is None
    assert "Thank you" in await page(desk, links[1], b"rating=bad&comment=It+took+a+week.")
    told = await desk.mail_to(ANN, "is not happy with how this ticket went")
    assert told["Subject"] == "Feedback, not good - [TCK-1] - Scanner"
    assert "It took a week." in told.as_string()


async def test_a_watcher_stops_with_one_click_of_the_mail_program(desk: Desk) -> None:
    place = await desk.ticket(watchers=["wim@client.test"])
    created = await desk.mail_to("wim@client.test", "This is the new ticket")
    assert created["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(created["List-Unsubscribe"]).strip("<>")
    assert "No more mails about TCK-1?" in await page(desk, link)
    assert "no more mails about it" in await page(desk, link, b"List-Unsubscribe=One-Click")
    await desk.running.created(f"{place}/entries", {"kind": "public", "body": "It is a bearing."})
    to_contact = await desk.mail_to(ALICE, "It is a bearing.")
    assert to_contact["List-Unsubscribe"] is None
    await desk.running.settled()
    assert desk.subjects_to("wim@client.test") == ["Ticket created"]


async def test_the_client_hears_that_it_is_on_hold_and_goes_on(desk: Desk) -> None:
    place = await desk.ticket(watchers=["wim@client.test"])
    for status in ("hold", "working", "auto-close", "closed", "open"):
        version = (await desk.running.api("GET", place)).headers["etag"]
        moved = await desk.running.api("PATCH", place, {"status": status}, If_Match=version)
        assert moved.status in (200, 422), moved.body
        if moved.status == 422:
            assert (await desk.running.api("POST", f"{place}/close", {})).status == 200
    waiting = await desk.mail_to(ALICE, "We think that TCK-1 is solved.")
    assert "we will close the ticket on" in waiting.as_string().replace("=\n", "")
    await desk.running.settled()
    expected = ["Ticket created", "On hold", "Solved?", "Ticket closed", "Open again"]
    assert desk.subjects_to(ALICE) == expected
    assert desk.subjects_to("wim@client.test") == expected


async def issued(desk: Desk, **settings: Any) -> str:
    """The reference of an invoice that was issued for an hour of work."""
    seller = {"seller": {"name": "Example IT", "address": "1 Example Street"}}
    known = (await desk.running.api("GET", "/settings")).headers["etag"]
    told = await desk.running.api("PATCH", "/settings", seller | settings, If_Match=known)
    assert told.status == 200, told.body
    rate = {"rate": {"amount": "90.00", "currency": "EUR"}, "language": "de"}
    client = f"/clients/{desk.running.client_id}"
    assert (await desk.running.api("PATCH", client, rate)).status == 200
    place = await desk.ticket(billable=True)
    await desk.running.created(f"{place}/time", {"agent_id": desk.ann, "seconds": 3600})
    draft = await desk.running.created(f"{place}/invoice", {})
    done = await desk.running.api("POST", f"/invoices/{draft['id']}/issue")
    assert done.status == 200, done.body
    return str(done.json["reference"])


async def test_an_invoice_goes_to_those_who_are_to_pay_it(desk: Desk) -> None:
    ids = [
        (await desk.running.created("/contacts", contact | {"client_id": desk.running.client_id}))[
            "id"
        ]
        for contact in (
            {"name": "pay", "email": "pay@client.test", "billing": True},
            {"name": "idle", "email": "idle@client.test"},
            {"name": "old", "email": "old@client.test", "billing": True},
        )
    ]
    assert (await desk.running.api("POST", f"/contacts/{ids[-1]}/archive")).status == 200
    reference = await issued(desk, invoice_mails=True)
    sent = await desk.mail_to("pay@client.test", "Rechnung")
    assert sent["Subject"] == f"Rechnung {reference}"
    body = sent.get_body(("plain",))
    assert body is not None
    assert "90,00\xa0€" in body.get_content()
    link = re.search(r"https://desk\.example\.com(/invoice/\S+)", body.get_content())
    assert link is not None
    address = f"http://127.0.0.1:{desk.running.told['port']}{link[1]}"
    with await asyncio.to_thread(urllib.request.urlopen, address) as answer:
        assert answer.read().startswith(b"%PDF")
    await desk.running.settled()
    told = {recipient for taken in desk.smtp.mails for recipient in taken.recipients}
    assert not told & {"idle@client.test", "old@client.test"}
    deliveries = [one for one in await desk.outbound("limit=200") if one["template"] == "invoice"]
    assert [one["recipient"] for one in deliveries] == ["pay@client.test"]


async def test_invoices_are_not_sent_unless_the_settings_say_so(desk: Desk) -> None:
    contact = {"client_id": desk.running.client_id, "name": "pay", "email": "pay@client.test"}
    await desk.running.created("/contacts", contact | {"billing": True})
    await issued(desk)
    await desk.running.settled()
    assert desk.subjects_to("pay@client.test") == []


async def test_no_feedback_is_asked_for_where_it_is_not_wanted(desk: Desk) -> None:
    settings = f"/clients/{desk.running.client_id}/settings"
    version = (await desk.running.api("GET", settings)).headers["etag"]
    off = await desk.running.api("PATCH", settings, {"feedback": False}, If_Match=version)
    assert off.status == 200, off.body
    assert (await desk.running.api("POST", f"{await desk.ticket()}/close", {})).status == 200
    closed = await desk.mail_to(ALICE, "Ticket closed")
    assert "/feedback/" not in closed.as_string()


async def test_both_sides_are_told_what_concerns_them(desk: Desk) -> None:
    place = await desk.ticket()
    created = await desk.mail_to(ALICE, "Ticket created")
    answer = await desk.running.api("POST", f"{place}/assign", {"agent_id": desk.ann})
    assert answer.status == 200, answer.body
    assigned = await desk.mail_to(ANN, "Assigned to you")
    assert "It hums." in assigned.as_string()
    drop(desk.inbox, mail("hm", "It sings now.", To=created["Reply-To"]).as_bytes())
    await desk.mail_to(ANN, "It sings now.")
    await desk.running.created(f"{place}/entries", {"kind": "internal", "body": "No money."})
    await desk.mail_to(ANN, "left a note")
    assert (await desk.running.api("POST", f"{place}/close", {})).status == 200
    closed = await desk.mail_to(ALICE, "Ticket closed")
    await desk.mail_to(ANN, "has closed this ticket")
    drop(desk.inbox, mail("no", "It is not solved.", To=closed["Reply-To"]).as_bytes())
    await desk.mail_to(ANN, "the ticket is open again")
    await desk.running.settled()
    assert desk.subjects_to(ALICE) == ["Ticket created", "Ticket closed"]
    assert desk.subjects_to(ANN) == [
        "Assigned to you",
        "Client replied",
        "Note",
        "Closed",
        "Client replied",
    ]


async def test_technical_contacts_hear_of_a_ticket_that_names_no_contact(desk: Desk) -> None:
    tom = {"client_id": desk.running.client_id, "name": "Tom", "email": TOM, "technical": True}
    made = await desk.running.created("/contacts", tom)
    place = await desk.ticket()
    created = await desk.mail_to(TOM, "Ticket created")
    assert "It hums." in created.as_string()
    await desk.mail_to(ALICE, "Ticket created")
    drop(desk.inbox, mail("hm", "Off.", sender=TOM, To=created["Reply-To"]).as_bytes())

    async def answered() -> Any:
        entries = (await desk.running.api("GET", f"{place}/entries")).json["data"]
        return next((each for each in entries if each["via"] == "email"), None)

    said = await until(answered)
    assert (said["kind"], said["author"]["id"]) == ("client", made["id"])
    await desk.running.created(f"{place}/entries", {"body": "Thank you."})
    assert "> Off." in (await desk.mail_to(TOM, "Thank you.")).as_string()
    await desk.ticket(subject="Fax", contact_id=1)
    await desk.mail_to(ALICE, "Fax")
    await desk.running.settled()
    assert desk.subjects_to(TOM) == ["Ticket created", "Re: [TCK-1]"]


async def test_agents_choose_what_they_are_told(desk: Desk) -> None:
    place = f"/agents/{desk.ann}/notifications"
    first = await desk.running.api("GET", place)
    assert first.headers["etag"] == '"0"'
    assert first.json["events"] == dict.fromkeys(get_args(AgentEvent), "now")
    choices = {
        "events": {"note": "off", "assigned": "hourly"},
        "quiet_hours": {"start": "22:00", "end": "07:00"},
        "timezone": "Europe/Berlin",
    }
    put = await desk.running.api("PUT", place, choices, If_Match='"0"')
    assert put.status == 200, put.body
    assert put.json["events"]["note"] == "off"
    assert (await desk.running.api("GET", place)).json == put.json
    for wrong in ({"timezone": "Mars/Base"}, {"events": {"tea": "now"}}, {"digest_hour": 24}):
        assert (await desk.running.api("PUT", place, wrong)).status == 422
    assert (await desk.running.api("PUT", place, choices, If_Match='"0"')).status == 412
    ticket = await desk.ticket(assigned_to=desk.ann)
    await desk.running.created(f"{ticket}/entries", {"kind": "internal", "body": "hm"})
    await desk.running.settled()
    waiting = await desk.running.query("notify-svc", "SELECT * FROM digest_items")
    assert [row["event"] for row in waiting] == ["assigned"]
    assert desk.subjects_to(ALICE) == ["Ticket created"]
    assert desk.subjects_to(ANN) == []


async def test_deliveries_are_found_and_sent_again(desk: Desk) -> None:
    desk.smtp.script = lambda command, address: (
        "550 5.1.1 unknown" if (command, address) == ("RCPT", ALICE) else None
    )
    ticket = await desk.ticket(assigned_to=desk.ann)
    failed = (await until(lambda: desk.outbound("state=failed")))[0]
    assert (failed["template"], failed["recipient"]) == ("ticket-created", ALICE)
    assert failed["answer"] == "550 5.1.1 unknown"
    assert "did not reach" in (await desk.mail_to(ANN, "Mail not delivered")).as_string()
    assert [one["id"] for one in await desk.outbound("recipient=ALICE@client.test")] == [
        failed["id"]
    ]
    ticket_id = ticket.rpartition("/")[2]
    for template in ("undelivered", "assigned"):
        found = f"template={template}&ticket_id={ticket_id}"
        await until(partial(desk.outbound, found))
    desk.smtp.clear()
    (suppressed,) = (await desk.running.api("GET", f"/suppressions?email={ALICE}")).json["data"]
    assert suppressed["reason"] == "550 5.1.1 unknown"
    place = f"/suppressions/{suppressed['id']}"
    assert (await desk.running.api("DELETE", place)).status == 200
    assert (await desk.running.api("GET", "/suppressions")).json["data"] == []
    again = await desk.running.api("POST", f"/mail/outbound/{failed['id']}/retry")
    assert (again.status, again.json["state"]) == (200, "queued"), again.body
    await desk.mail_to(ALICE, "Ticket created")
    await until(lambda: desk.outbound("state=sent&template=ticket-created"))
    again = await desk.running.api("POST", f"/mail/outbound/{failed['id']}/retry")
    assert again.status == 409
    assert (await desk.running.api("POST", "/mail/outbound/999/retry")).status == 404


async def test_programs_are_told_by_webhooks(desk: Desk) -> None:
    values = {"url": "https://hook.invalid/", "events": ["ticket.opened"], "description": "chat"}
    made = await desk.running.created("/webhooks", values)
    assert made["secret"].startswith("whsec_")
    place = f"/webhooks/{made['webhook']['id']}"
    shown = (await desk.running.api("GET", place)).json
    assert shown == made["webhook"]
    ticket = await desk.ticket()

    async def told() -> list[Any]:
        return list((await desk.running.api("GET", f"{place}/deliveries")).json["data"])

    (waiting,) = await until(told)
    assert (waiting["channel"], waiting["template"]) == ("webhook", "ticket.opened")
    assert waiting["state"] == "queued"
    assert waiting["answer"]
    await desk.mail_to(ALICE, "Ticket created")
    await until(lambda: desk.outbound("state=sent"))
    mails = await desk.outbound("limit=200")
    assert {one["channel"] for one in mails} == {"mail"}
    of_ticket = (await desk.running.api("GET", f"{ticket}/mails")).json["data"]
    assert {one["channel"] for one in of_ticket} == {"mail"}
    for body, status in (({"url": "http://10.0.0.1/"}, 422), ({"enabled": False}, 200)):
        assert (await desk.running.api("PATCH", place, body)).status == status
    since = {"since": "2026-01-01T00:00:00Z"}
    assert (await desk.running.api("POST", f"{place}/replay", since)).json == {"count": 1}
    assert (await desk.running.api("DELETE", place)).status == 200
    assert (await desk.running.api("GET", "/webhooks")).json["data"] == []
    refused = await desk.running.api("POST", "/webhooks", {"url": "https://127.0.0.1/"})
    assert refused.status == 422
