"""What the owners tell is kept, the newest of it, and told anew to who knows nothing."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway_api import Desk, eventually

from deskwire.contracts.actors import Author
from deskwire.contracts.base import Command, Event
from deskwire.contracts.entries import Entry, StoredFile
from deskwire.contracts.mail import Body, InboundChanged, InboundMail
from deskwire.contracts.notifications import Channel, Delivery, DeliveryChanged
from deskwire.contracts.people import AgentChanged, CreateAgent
from deskwire.contracts.records import Agent
from deskwire.contracts.schedules import Occurrences, Schedule, ScheduleChanged
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.contracts.tickets import EntryChanged, Ticket, TicketChanged, TicketOpened
from deskwire.contracts.webhooks import Replayed
from deskwire.messaging.envelope import wrap
from deskwire.messaging.requests import ask
from deskwire.topology import QUEUES
from gateway.readmodel.replies import KEEPERS

AT = datetime(2024, 1, 1, tzinfo=UTC)


def ticket(version: int = 1, *, id: int = 1, subject: str = "s") -> Ticket:
    return Ticket(
        id=id,
        number=id,
        prefix="TCK-",
        reference=f"TCK-{id}",
        subject=subject,
        body=Body(text="b"),
        status="open",
        priority="low",
        source="email",
        entry_count=1,
        created_at=AT,
        created_by=Author(type="system"),
        updated_at=AT + timedelta(minutes=version),
        version=version,
    )


def entry(version: int = 1, text: str = "b") -> Entry:
    return Entry(
        id=1,
        ticket_id=1,
        origin_ticket_id=1,
        kind="client",
        author=Author(type="unknown"),
        body=Body(text=text),
        via="email",
        created_at=AT,
        version=version,
    )


def delivery(id: int, state: str, version: int = 1) -> Delivery:
    return Delivery.model_validate(
        {
            "id": id,
            "template": "ticket_opened",
            "ticket_id": 10 + id,
            "recipient": "ann@example.com",
            "state": state,
            "attempts": 1,
            "message_id": f"<{id}@example.com>",
            "created_at": AT,
            "version": version,
        }
    )


async def tell(desk: Desk, events: Sequence[Event]) -> None:
    for event in events:
        await desk.broker.publish(wrap(event))


async def test_older_versions_change_nothing(lonely_desk: Desk) -> None:
    for versions in ((1, 3, 2), (5, 4)):
        await tell(
            lonely_desk, [TicketChanged(ticket=ticket(v, subject=f"v{v}")) for v in versions]
        )
        read = await lonely_desk.api.get("/api/v1/tickets/1")
        assert read.json["subject"] == f"v{max(versions)}"
        assert read.headers["ETag"] == f'"{max(versions)}"'


async def test_ticket_and_entry_of_one_event(lonely_desk: Desk) -> None:
    thread = {"token": "t", "message_id": "<t@example.com>"}
    given = {"ticket": ticket(), "entry": entry(), "thread": thread}
    opened = TicketOpened.model_validate(given | {"notify_client": True, "team": ()})
    await tell(lonely_desk, [opened])
    await tell(lonely_desk, [EntryChanged(entry=entry(2, "redacted")), EntryChanged(entry=entry())])
    timeline = (await lonely_desk.api.get("/api/v1/tickets/1/entries")).json["data"]
    assert [each["body"]["text"] for each in timeline] == ["redacted"]


async def test_one_batch_with_many_versions(lonely_desk: Desk) -> None:
    """All that waits when the gateway comes is one statement a table."""
    changes = [TicketChanged(ticket=ticket(v, id=1 + v % 3, subject=f"v{v}")) for v in range(1, 31)]
    await asyncio.gather(*(lonely_desk.broker.publish(wrap(change)) for change in changes))
    tickets = (await lonely_desk.api.get("/api/v1/tickets?sort=number")).json["data"]
    assert [each["subject"] for each in tickets] == ["v30", "v28", "v29"]


async def test_of_a_delivery_the_newest_is_kept(lonely_desk: Desk) -> None:
    given = [(1, "queued", 1), (1, "sent", 2), (2, "failed", 1), (3, "queued", 1)]
    await tell(lonely_desk, [DeliveryChanged(delivery=delivery(*each)) for each in given])

    async def states(query: str) -> list[tuple[int, str]]:
        page = (await lonely_desk.api.get(f"/api/v1/mail/outbound?{query}")).json
        return [(each["id"], each["state"]) for each in page["data"]]

    assert await states("") == [(3, "queued"), (2, "failed"), (1, "sent")]
    assert await states("state=failed,sent&sort=id") == [(1, "sent"), (2, "failed")]
    assert await states("ticket_id=13") == [(3, "queued")]
    page = (await lonely_desk.api.get("/api/v1/mail/outbound?limit=2")).json
    assert await states(f"limit=2&cursor={page['next_cursor']}") == [(1, "sent")]


async def test_mails_of_a_ticket_are_those_in_and_out(lonely_desk: Desk) -> None:
    def came_in(id: int, minute: int) -> InboundChanged:
        at = AT + timedelta(minutes=minute)
        mail = InboundMail(
            id=id,
            mailbox="m",
            state="reply",
            size=1,
            attempts=1,
            ticket_id=11,
            seen_at=at,
            version=1,
        )
        return InboundChanged(mail=mail)

    def went_out(id: int, minute: int, channel: Channel = "mail") -> DeliveryChanged:
        told = {"ticket_id": 11, "created_at": AT + timedelta(minutes=minute), "channel": channel}
        return DeliveryChanged(delivery=delivery(id, "sent").model_copy(update=told))

    others = [TicketChanged(ticket=ticket(id=11)), went_out(9, 1, "webhook")]
    await tell(lonely_desk, [*others, came_in(1, 3), came_in(2, 0), went_out(1, 3), went_out(2, 5)])
    place, got, cursor = "/api/v1/tickets/11/mails?limit=1", [], ""
    for _ in range(4):
        page = (await lonely_desk.api.get(f"{place}&cursor={cursor}")).json
        got += [(each["direction"], each["id"]) for each in page["data"]]
        cursor = page["next_cursor"]
    assert not cursor
    assert got == [("in", 2), ("in", 1), ("out", 1), ("out", 2)]
    assert (await lonely_desk.api.get(f"{place}&total=true")).json["total"] == 4


async def test_schedules_are_kept_of_their_client(lonely_desk: Desk) -> None:
    template = OpenTicket(
        subject="Backup", body=Body(text="Check it"), client_id=5, within_client=5
    )
    schedule = Schedule(
        id=1,
        name="Weekly",
        cron="0 9 * * mon",
        timezone="UTC",
        ticket=template,
        next_run_at=AT,
        created_at=AT,
    )
    await tell(lonely_desk, [ScheduleChanged(schedule=schedule)])
    shown = (await lonely_desk.api.get("/api/v1/scheduled-tickets/1")).json
    assert shown["ticket"]["subject"] == "Backup"
    assert shown["ticket"]["body"] == {"text": "Check it", "html": None}
    assert "within_client" not in shown["ticket"]
    for client_id, ids in ((5, [1]), (6, [])):
        bound = await lonely_desk.key("scheduled-tickets:read", client_id=client_id)
        page = (await bound.get("/api/v1/scheduled-tickets")).json
        assert [each["id"] for each in page["data"]] == ids
        assert (await bound.get("/api/v1/scheduled-tickets/1")).status == (200 if ids else 404)


async def test_what_others_do_arrives(desk: Desk) -> None:
    command = CreateAgent(name="Bob", email="bob@example.com")
    agent = (await ask(desk.broker, command)).reply
    read = await eventually(
        lambda: desk.api.get(f"/api/v1/agents/{agent.id}"), lambda answer: answer.status == 200
    )
    assert read.json["name"] == "Bob"


async def test_late_event_does_not_undo_what_a_write_kept(lonely_desk: Desk) -> None:
    agent = Agent(id=1, name="New", email="bob@example.com", created_at=AT, version=2)
    old = agent.model_copy(update={"name": "Old", "version": 1})
    await tell(lonely_desk, [AgentChanged(agent=agent), AgentChanged(agent=old)])
    assert (await lonely_desk.api.get("/api/v1/agents/1")).json["name"] == "New"


async def test_empty_read_model_is_filled(desk: Desk) -> None:
    """The owner's settings were there before any event told of them."""
    settings = await eventually(
        lambda: desk.api.get("/api/v1/settings"), lambda answer: answer.status == 200
    )
    assert settings.json["version"] == 1


def test_what_is_answered_is_kept_or_no_document() -> None:
    asked = (command for queue in QUEUES if queue.requests for command in queue.messages)
    replies = {command.reply_type() for command in asked if issubclass(command, Command)}
    assert replies - KEEPERS.keys() == {Occurrences, Replayed, StoredFile}
    assert KEEPERS.keys() <= replies
