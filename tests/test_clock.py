"""Things at their time, from outside: HTTP, mail in over Dovecot, mail out to an SMTP server.

Hours pass by moving what is kept of the future back: nobody waits for them.
"""

import email
import email.policy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from whole import TEAM, Whole, mail, told, until, whole

from deskwire import db
from deskwire.local import Dovecot, Smtp
from deskwire.testing import FreshDatabase
from gateway.keys import create_key

SCHEDULES = "/scheduled-tickets"


@pytest.fixture
async def running(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole(fresh_database, told(f"memory://{uuid4()}", tmp_path)) as running:
        yield running


def from_2030(**timing: str) -> dict[str, Any]:
    return {"starts_at": "2030-01-02T00:00:00Z"} | timing


# What is wrong, where, and what of it is said.
REFUSED: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"cron": "0 9 30 2 *"}, "cron", "the day-of-month cannot be 30"),
    ({"cron": "0 25 * * *"}, "cron", "the hour cannot be 25"),
    (from_2030(rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rrule", "there is no such day"),
    (from_2030(rrule="FREQ=WEEKLY;BYDAY=SA", days_off="skip"), "rrule", "its days are left out"),
    ({"cron": "* * * * *"}, "cron", "more often than every five minutes"),
    ({"cron": "* * * * * *"}, "cron", "five fields"),
    (from_2030(rrule="FREQ=SECONDLY"), "rrule", "FREQ must be DAILY"),
    (from_2030(rrule="FREQ=DAILY;BYMINUTE=0,1"), "rrule", "more often than every five minutes"),
    (from_2030(rrule="FREQ=DAILY;" * 1000), "rrule", "at most 500 characters"),
    (from_2030(rrule="DTSTART:20300101\nRRULE:FREQ=DAILY"), "rrule", "DTSTART has no place here"),
    (from_2030(every="daily"), "every", "must be weekly"),
    ({"every": "weekly"}, "starts_at", "the first time"),
    (from_2030(every="weekly", ends_at="2030-01-01T00:00:00Z"), "ends_at", "before it starts"),
    (from_2030(every="weekly", cron="0 9 * * *"), "cron", "one of cron, every and rrule"),
    ({"cron": "0 9 * * *", "timezone": "Europe/Atlantis"}, "timezone", "IANA"),
    ({"cron": "0 9 * * *", "count": 0}, "count", "must be 1 or more"),
    ({"cron": "0 9 * * *", "lead_seconds": -1}, "lead_seconds", "must be 0 or more"),
    ({"cron": "0 9 * * *", "days_off": "maybe"}, "days_off", "skip"),
)


async def refuses(running: Whole) -> None:
    for timing, field, why in REFUSED:
        body = {"name": "x", "ticket": {"subject": "x", "body": "x"}} | timing
        refused = await running.api("POST", SCHEDULES, body)
        assert refused.status == 422, (timing, refused.body)
        (error,) = refused.json["errors"]
        assert (error["field"].rpartition(".")[2], why in error["message"]) == (field, True), error


NIGHTS: tuple[tuple[str, str, list[str]], ...] = (
    # an hour that the night has not got, one that it has twice, and a gap of half an hour
    ("Europe/Paris", "2027-03-28", ["2027-03-28T03:00", "2027-03-28T01:00:00Z"]),
    ("Europe/Paris", "2027-10-31", ["2027-10-31T02:30", "2027-10-31T00:30:00Z"]),
    ("Australia/Lord_Howe", "2027-10-03", ["2027-10-03T02:30", "2027-10-02T15:30:00Z"]),
)


async def test_nights_that_change_the_clock_have_one_ticket(running: Whole) -> None:
    for timezone, night, (wall, at) in NIGHTS:
        start = datetime.fromisoformat(night) - timedelta(days=1, hours=12)
        made = await running.created(
            SCHEDULES,
            {
                "name": "Nightly",
                "cron": "15,30 2 * * *" if timezone == "Australia/Lord_Howe" else "30 2 * * *",
                "timezone": timezone,
                "starts_at": f"{start:%FT%T}Z",
                "ticket": {"subject": "Backups", "body": "All."},
            },
        )
        found = (await running.api("GET", f"{SCHEDULES}/{made['id']}/preview?count=5")).json["data"]
        of_night = [day for day in found if day["occurrence"].startswith(night)]
        assert [(day["occurrence"], day["at"]) for day in of_night] == [(wall, at)]


async def test_a_schedule_from_its_first_to_its_last_day(running: Whole) -> None:
    ticket = {"subject": "Backups", "body": "All.", "client_id": running.client_id}
    made = await running.created(
        SCHEDULES,
        {
            "name": "Backups",
            "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1",
            "timezone": "Europe/Berlin",
            "starts_at": "2030-01-31T08:00:00Z",
            "days_off": "before",
            "lead_seconds": 3600,
            "rotation": [1],
            "ticket": ticket,
        },
    )
    path = f"{SCHEDULES}/{made['id']}"
    days = (await running.api("GET", f"{path}/preview?count=3")).json["data"]
    assert [day["occurrence"] for day in days] == [
        "2030-01-31T09:00",
        "2030-02-28T09:00",
        "2030-03-29T09:00",  # a Friday
    ]
    assert days[0]["opens_at"] == made["next_run_at"] == "2030-01-31T07:00:00Z"

    assert (await running.api("PATCH", path, {"name": "B"}, If_Match='"9"')).status == 412
    patched = (await running.api("PATCH", path, {"every": "monthly"})).json
    assert (patched["every"], patched["rrule"], patched["version"]) == ("monthly", None, 2)
    refused = await running.api("PATCH", path, {"timezone": "Europe/Atlantis"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "timezone")
    assert (await running.api("POST", f"{path}/pause")).json["state"] == "paused"
    assert (await running.api("POST", f"{path}/resume")).json["state"] == "active"

    ran = await running.api("POST", f"{path}/run")
    assert (ran.status, ran.json["runs"]) == (202, 1)
    (opened,) = await until(running.tickets)
    assert (opened["source"], opened["assigned_to"]["name"]) == ("schedule", "Ann")

    async with db.connect(running.urls["gateway"], size=1) as database:
        other = await create_key(database, "o", scopes=["admin"], client_id=running.client_id + 1)
    for method, place in (("GET", path), ("POST", f"{path}/run"), ("DELETE", path)):
        foreign = await running.api(method, place, Authorization=f"Bearer {other}")
        assert foreign.status == 404, place
    assert (await running.api("DELETE", path)).json["deleted_at"]
    assert (await running.api("GET", path)).status == 404
    assert (await running.api("GET", SCHEDULES)).json["data"] == []
    assert (await running.api("POST", f"{path}/run")).status == 404
    await refuses(running)


async def test_no_schedule_is_for_whom_no_ticket_can_be_opened(running: Whole) -> None:
    other = await running.created("/clients", {"name": "Other"})
    named = {"client_id": other["id"], "name": "Bea"}
    contact = await running.created("/contacts", named)
    asset = await running.created("/assets", named)
    agent = await running.created("/agents", {"name": "Gone", "email": "gone@desk.test"})
    await running.api("POST", f"/agents/{agent['id']}/archive")
    ticket = {"subject": "Backups", "body": "All.", "client_id": running.client_id}
    schedule = {"name": "Backups", "cron": "0 9 * * *", "ticket": ticket}
    for field, value in (
        ("contact_id", contact["id"]), ("asset_ids", [asset["id"]]), ("assigned_to", agent["id"])
    ):  # fmt: skip
        refused = await running.api(
            "POST", SCHEDULES, schedule | {"ticket": ticket | {field: value}}
        )
        assert (refused.status, refused.json["errors"][0]["field"]) == (404, f"ticket.{field}")
    refused = await running.api("POST", SCHEDULES, schedule | {"rotation": [agent["id"]]})
    assert (refused.status, refused.json["errors"][0]["field"]) == (404, "rotation")

    of_other = ticket | {"client_id": other["id"], "contact_id": contact["id"]}
    made = await running.created(SCHEDULES, schedule | {"ticket": of_other})
    path = f"{SCHEDULES}/{made['id']}"
    await running.api("POST", f"/clients/{other['id']}/archive")

    async def paused() -> bool:
        return bool((await running.api("GET", path)).json["state"] == "paused")

    await until(paused)
    for step in ("resume", "run"):
        assert (await running.api("POST", f"{path}/{step}")).status == 409
    refused = await running.api("POST", SCHEDULES, schedule | {"ticket": of_other})
    assert (refused.status, refused.json["errors"][0]["field"]) == (404, "ticket.client_id")
    await running.api("POST", f"/clients/{other['id']}/unarchive")
    assert (await running.api("POST", f"{path}/resume")).json["state"] == "active"
    assert (await running.api("POST", f"{path}/run")).status == 202


ALICE = "alice@client.test"


@dataclass
class Story:
    """A ticket that Alice opened by mail, and all that she gets and writes."""

    running: Whole
    smtp: Smtp
    dovecot: Dovecot
    user: str
    ticket_id: int = 0

    def write(self, message: EmailMessage) -> None:
        self.dovecot.append(self.user, message.as_bytes())

    def answer(self, to: EmailMessage, text: str) -> None:
        self.write(mail(f"Re: {to['Subject']}", text, In_Reply_To=to["Message-ID"]))

    async def got(self, *texts: str, count: int = 1, to: str = ALICE) -> EmailMessage:
        """The mail with these texts that is so many of its kind."""

        async def arrived() -> EmailMessage | None:
            mails = [
                email.message_from_bytes(taken.raw, policy=email.policy.default)
                for taken in self.smtp.mails
                if to in taken.recipients
            ]
            fit = [each for each in mails if all(text in plain(each) for text in texts)]
            return fit[count - 1] if len(fit) >= count else None

        found: EmailMessage = await until(arrived)
        return found

    async def ticket(self, **values: object) -> dict[str, Any]:
        """The ticket when it has these values."""

        async def so() -> dict[str, Any] | None:
            found: dict[str, Any] = (
                await self.running.api("GET", f"/tickets/{self.ticket_id}")
            ).json
            return found if found.items() >= values.items() else None

        there: dict[str, Any] = await until(so)
        return there

    async def do(self, action: str) -> dict[str, Any]:
        answer = await self.running.api("POST", f"/tickets/{self.ticket_id}/{action}")
        assert answer.status == 200, answer.body
        done: dict[str, Any] = answer.json
        return done

    async def hours_pass(self, hours: int) -> None:
        """What the ticket waits for comes so much sooner, in both databases."""
        (row,) = await self.running.query(
            "ticket-svc", "SELECT clock FROM tickets WHERE id = $1", self.ticket_id
        )
        clock = json.loads(row["clock"])
        sooner = timedelta(hours=hours)
        for name, at in clock["moments"].items():
            clock["moments"][name] = (datetime.fromisoformat(at) - sooner).isoformat()
        first = min(map(datetime.fromisoformat, clock["moments"].values()))

        async def known() -> bool:
            alarm = "UPDATE alarms SET at = $1 WHERE ticket_id = $2 AND at = $3 RETURNING at"
            moved = (first, self.ticket_id, first + sooner)
            return bool(await self.running.query("scheduler-svc", alarm, *moved))

        wound = "UPDATE tickets SET clock = $1 WHERE id = $2"
        await self.running.query("ticket-svc", wound, json.dumps(clock), self.ticket_id)
        await until(known)


def plain(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    return f"{message['Subject']}\n{part.get_content() if part else ''}"


@pytest.fixture
async def story(
    fresh_database: FreshDatabase,
    amqp_url: str,
    dovecot_server: Dovecot,
    smtp_server: Smtp,
    tmp_path: Path,
) -> AsyncIterator[Story]:
    user = f"support-{uuid4().hex}"
    mailbox = dovecot_server.url(user)
    settings = told(amqp_url, tmp_path, mailboxes=[mailbox], smtp_url=smtp_server.url)
    async with whole(fresh_database, settings) as running:
        told_of = Story(running, smtp_server, dovecot_server, user)
        told_of.write(mail("Printer"))
        (opened,) = await until(running.tickets)
        told_of.ticket_id = opened["id"]
        yield told_of


async def test_who_does_not_answer_is_reminded_once_and_closed(story: Story) -> None:
    reply = {"kind": "public", "body": "Is it still on fire?"}
    await story.running.created(f"/tickets/{story.ticket_id}/entries", reply)
    await story.do("auto-close")
    await story.hours_pass(48)
    chaser = await story.got("Waiting for you", "Is it still on fire?")
    chased = await story.ticket(status="auto-close")
    assert chased["auto_close"]["chased_at"]
    story.answer(chaser, "Yes, it is.")
    assert (await story.ticket(status="open"))["auto_close"] is None

    await story.do("auto-close")
    await story.hours_pass(48)
    await story.got("Waiting for you", "Is it still on fire?", count=2)
    await story.hours_pass(24)
    closed = await story.ticket(status="closed")
    assert closed["closed_by"]["type"] == "system"
    closing = await story.got("Ticket closed")
    story.answer(closing, "Not yet, please.")
    assert (await story.ticket(status="open"))["closed_at"] is None

    await story.do("close")
    await story.running.query(
        "ticket-svc", "UPDATE tickets SET closed_at = closed_at - interval '31 days'"
    )
    story.answer(closing, "It burns again.")

    async def followed() -> Any:
        tickets = await story.running.tickets()
        return next((each for each in tickets if each["follows"] == story.ticket_id), None)

    assert (await until(followed))["body"]["text"] == "It burns again."
    history = (await story.running.api("GET", f"/tickets/{story.ticket_id}/history")).json["data"]
    alone = [each["field"] for each in history if each["through"]["type"] == "system"]
    assert alone == ["chased_at", "chased_at", "status"]

    await the_team_is_told(story)


async def the_team_is_told(story: Story) -> None:
    """Of a ticket that is due: by the targets of its priority, long after."""
    targets = {"high": {"resolution": 60}}
    await story.running.api("PATCH", "/settings", {"targets": targets}, If_Match='"2"')
    new = {"subject": "Flood", "body": "x", "priority": "high"}
    ticket = await story.running.created("/tickets", new)
    assert ticket["due_at"] is not None
    story.ticket_id = ticket["id"]
    await story.hours_pass(24 * 7)
    for subject in ("Due soon", "Overdue"):
        await story.got(subject, "Flood", to=TEAM)
    assert (await story.ticket(breached=["resolution"]))["status"] == "open"
