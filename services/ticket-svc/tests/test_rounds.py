"""In which order a batch is handled, and that batches do not wait for each other."""

import asyncio
import random
import time
from datetime import UTC, datetime

from structlog.testing import capture_logs
from ticket_desk import ACTOR, AGENT, Desk

from deskwire.contracts.base import Message
from deskwire.contracts.mail import Body, MailReceived
from deskwire.contracts.ticket_commands import (
    AddEntry,
    ChangeTicket,
    OpenScheduledTicket,
    OpenTicket,
    TicketChanges,
)
from ticket_svc.handlers import rounds

BODY = Body(text="It is on fire.")
TICKETS, PEOPLE, SECONDS = 20, 16, 4.0


def a_mail(**fields: object) -> MailReceived:
    values = {"mail_id": 1, "mailbox": "support", "received_at": datetime.now(UTC), "body": BODY}
    return MailReceived.model_validate(values | fields)


def an_entry(ticket_id: int, **fields: object) -> AddEntry:
    values = {"ticket_id": ticket_id, "kind": "internal", "body": BODY, "author": AGENT}
    return AddEntry.model_validate(values | fields)


def test_what_opens_tickets_comes_first_and_the_rest_by_ticket() -> None:
    opening = OpenTicket(subject="Printer", body=BODY)
    batch: list[Message] = [
        ChangeTicket(ticket_id=9, changes=TicketChanges(priority="high"), actor=ACTOR),
        an_entry(7),
        an_entry(3, kind="public"),
        opening,
        an_entry(2),
        OpenScheduledTicket(schedule_id=1, occurrence="2026-03-02T09:00:00Z", ticket=opening),
        an_entry(5, status="closed"),
        an_entry(8),
    ]
    assert rounds(batch) == [[3, 5], [4], [2], [6], [1, 7], [0]]


def test_mails_are_at_once_but_for_answers_to_each_other_and_what_no_person_sent() -> None:
    batch = [
        a_mail(message_id="<one@client.test>"),
        a_mail(in_reply_to=["<one@client.test>"]),
        a_mail(in_reply_to=["<other@client.test>"]),
        a_mail(subject="Re: [TCK-12] Printer"),
        a_mail(kind="bounce"),
        a_mail(accepted=True),
        a_mail(subject="Printer"),
    ]
    assert rounds(batch) == [[0, 6], [2, 3], [1], [4], [5]]


def test_an_empty_batch_has_no_rounds() -> None:
    assert rounds([]) == []


async def test_creates_entries_and_mails_do_not_wait_for_each_other(desk: Desk) -> None:
    """Each batch that others wait for, and that waits for them, would fall apart."""
    client_id = await desk.client()
    await desk.settings(tickets_per_sender=100_000)
    asked = [await desk.answered(client_id) for _ in range(TICKETS)]
    until = time.monotonic() + SECONDS

    async def write() -> None:
        while time.monotonic() < until:
            answer = {"in_reply_to": [random.choice(asked).thread.message_id]}
            await desk.mail("alice@client.test", **random.choice(({}, answer)))

    async def work() -> None:
        while time.monotonic() < until:
            ticket_id = random.choice(asked).ticket.id
            kind = random.choice(("public", "internal", "new"))
            if kind == "new":
                await desk.open(client_id)
            else:
                await desk.ask(an_entry(ticket_id, kind=kind))

    with capture_logs() as logs:
        await asyncio.gather(*(write() for _ in range(PEOPLE)), *(work() for _ in range(PEOPLE)))
    assert [log for log in logs if log["event"] == "batch falls apart"] == []
