"""Agents are told when they want to be, and what was not delivered is told to them."""

import time
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from notify_desk import NOON, Desk, desk_of, entry, opened, parsed, part, replied, thread, ticket

from deskwire.blobs import open_blobs
from deskwire.contracts import records
from deskwire.contracts.actors import Author, Person, Through
from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import (
    AgentNotifications,
    AgentNotificationsChanged,
    SetAgentNotifications,
    StopDigest,
)
from deskwire.contracts.people import AgentChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.tickets import HistoryItem, TicketChanged, TicketNoted
from deskwire.errors import Invalid, StaleVersion
from deskwire.local import Smtp
from deskwire.messaging.requests import ask
from notify_svc.rendering.letter import Letterhead
from notify_svc.sender.letters import Writer
from notify_svc.settings import Settings
from notify_svc.store.deliveries import Claimed

BOB = Person(id=2, name="Bob", email="bob@example.com")


def agent(id: int = 2, name: str = "Bob", **fields: Any) -> AgentChanged:
    values = {"id": id, "name": name, "email": f"{name.lower()}@example.com", "created_at": NOON}
    return AgentChanged(agent=records.Agent.model_validate(values | fields))


def noted(entry_id: int, text: str = "Call them.", **fields: Any) -> TicketNoted:
    return TicketNoted(
        ticket=ticket(assigned_to=BOB, **fields),
        entry=entry(entry_id, kind="internal", body=Body(text=text)),
        thread=thread(entry_id),
    )


async def wants(desk: Desk, if_version: int | None = None, **fields: Any) -> AgentNotifications:
    notifications = AgentNotifications.model_validate({"agent_id": 2} | fields)
    command = SetAgentNotifications(notifications=notifications, if_version=if_version)
    return (await ask(desk.broker, command)).reply


async def test_a_ticket_that_is_closed_is_told_to_both_sides(desk: Desk, smtp_server: Smtp) -> None:
    closing = HistoryItem(
        id=1,
        ticket_id=12,
        at=NOON,
        by=Author(type="agent", id=1, name="Ann"),
        through=Through(type="system"),
        field="status",
        old="open",
        new="closed",
    )
    event = TicketChanged(
        ticket=ticket(assigned_to=BOB, version=4),
        history=(closing,),
        thread=thread(1),
        notify_client=True,
    )
    await desk.tell(event)
    await desk.tell(TicketChanged(ticket=ticket(assigned_to=BOB, version=5)))  # is told anew
    await desk.state("sent", count=2)
    mails = {mail.recipients[0]: parsed(mail.raw) for mail in smtp_server.mails}
    assert mails["alice@client.test"]["Subject"] == "Ticket closed - [TCK-12] - Printer on fire"
    assert mails["alice@client.test"]["Message-ID"] == (
        "<ticket-closed.4.e1-abcdefghijklmnop@mail.example.com>"
    )
    assert "Ann has closed this ticket." in part(mails["bob@example.com"], "plain")


async def test_who_wants_no_mail_of_something_gets_none(desk: Desk, smtp_server: Smtp) -> None:
    await desk.tell(agent())
    await desk.tell(agent(3, "Cem"))
    await wants(desk, events={"note": "off"})
    await desk.tell(noted(2, "@cem what about it?"))
    assert (await desk.state("sent")).recipient == "cem@example.com"
    await desk.tell(agent(3, "Cem", version=2, archived_at=NOON))
    await desk.tell(noted(3, "@cem what about it?"))
    await desk.tell(replied(4))
    await desk.state("sent", count=2)
    assert [mail.recipients[0] for mail in smtp_server.mails] == [
        "cem@example.com",
        "alice@client.test",
    ]


async def test_quiet_hours_hold_a_mail_back(desk: Desk) -> None:
    await desk.tell(agent())
    hour = datetime.now(UTC).hour
    now, later = f"{hour:02}:00", f"{(hour + 2) % 24:02}:00"
    await wants(desk, quiet_hours={"start": now, "end": later})
    await desk.tell(noted(2))
    await desk.tell(replied(3))
    await desk.state("sent")
    states = {row["recipient"]: row["state"] for row in await desk.rows()}
    assert states == {"bob@example.com": "queued", "alice@client.test": "sent"}
    (waiting,) = [row for row in await desk.rows() if row["state"] == "queued"]
    assert waiting["next_attempt_at"].strftime("%H:%M") == later


async def test_a_digest_tells_all_at_once(told: Settings, smtp_server: Smtp) -> None:
    desk_url = {
        "ticket_url": "https://desk.example.com/t/{id}",
        "public_url": "https://desk.example.com/",
        "link_key": "a link key for tests alone",
    }
    async with desk_of(told.model_copy(update=desk_url)) as desk:
        await desk.tell(agent())
        await wants(desk, events={"note": "daily"}, timezone="Europe/Berlin")
        for number in (2, 3, 4):
            await desk.tell(noted(number))
        await desk.tell(noted(5, id=13, reference="TCK-13", subject="<b>Fan</b>"))
        (row,) = await desk.rows()
        assert row["next_attempt_at"] > datetime.now(UTC)
        await desk.make_due()
        sent = await desk.state("sent")
        await desk.tell(noted(6))  # is for the next one
        await desk.run("UPDATE deliveries SET next_attempt_at = NULL WHERE state = 'queued'")
        assert [row["state"] for row in await desk.rows()] == ["sent", "queued"]
    assert (sent.template, sent.ticket_id) == ("digest", None)
    mail = parsed(smtp_server.mails[0].raw)
    assert mail["Subject"] == "4 things happened on your tickets"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = part(mail, "plain")
    assert text.count("Ann left a note") == 4
    assert text.index("TCK-12: Printer on fire") < text.index("TCK-13: <b>Fan</b>")
    assert "https://desk.example.com/t/13" in text
    assert "&lt;b&gt;Fan&lt;/b&gt;" in part(mail, "html")
    assert len(smtp_server.mails) == 1
    way_out = str(mail["List-Unsubscribe"])
    assert way_out.startswith("<https://desk.example.com/unsubscribe/")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"No more summaries like this one: {way_out[1:-1]}" in text
    assert f'href="{way_out[1:-1]}"' in part(mail, "html")


async def test_a_digest_of_a_thousand_events_is_written_within_a_second(desk: Desk) -> None:
    await desk.tell(agent())
    await wants(desk, events={"note": "daily"})
    await desk.tell(noted(2))
    await desk.run(
        "INSERT INTO digest_items (delivery_id, event, context) SELECT delivery_id, event,"
        " jsonb_set(context::jsonb, '{ticket_id}', to_jsonb(n / 5)) FROM digest_items,"
        " generate_series(1, 999) AS n"
    )
    head = Letterhead("Support", "support@example.com", "support@example.com")
    writer = Writer(head, open_blobs("memory://"), desk.database, attached_bytes=0)
    (row,) = await desk.rows()
    known = {each.name: row[each.name] for each in fields(Claimed) if each.name in row}
    claimed = Claimed(**known, suppressed=None, age=0)
    started = time.process_time()
    letter = await writer.letter(claimed)
    assert time.process_time() - started < 1
    mail = parsed(letter.content)
    assert mail["Subject"] == "1000 things happened on your tickets"
    assert "And 800 more." in part(mail, "plain")


async def test_who_wants_no_more_digests_gets_none_not_even_the_next(desk: Desk) -> None:
    await desk.tell(agent())
    await wants(desk, events={"note": "daily", "closed": "weekly", "mention": "off"})
    await desk.tell(noted(2))
    stop = StopDigest(agent_id=2, every="daily")
    after = (await ask(desk.broker, stop)).reply
    assert after.events == {"note": "off", "closed": "weekly", "mention": "off"}
    assert (await ask(desk.broker, stop)).reply == after
    assert (await desk.state("failed")).answer == "not sent, the agent wants no more of them"
    await desk.tell(noted(3))
    assert [row["state"] for row in await desk.rows()] == ["failed"]
    stranger = (await ask(desk.broker, StopDigest(agent_id=9, every="daily"))).reply
    assert (stranger.events, stranger.version) == ({}, 0)


async def test_an_agent_hears_of_a_mail_that_their_client_did_not_get(
    desk: Desk, smtp_server: Smtp
) -> None:
    smtp_server.script = _refused
    event = replied(2)
    about = event.ticket.model_copy(update={"assigned_to": BOB})
    await desk.tell(event.model_copy(update={"ticket": about}))
    await desk.heard(lambda told: told.template == "undelivered" and told.state == "sent")
    mail = next(
        m for m in map(parsed, (m.raw for m in smtp_server.mails)) if "not del" in m["Subject"]
    )
    assert "did not reach alice@client.test" in part(mail, "plain")
    assert "550 5.1.1 unknown" in part(mail, "plain")


async def test_it_is_told_to_them_in_the_language_that_they_chose(
    desk: Desk, smtp_server: Smtp
) -> None:
    smtp_server.script = _refused
    await desk.tell(agent())
    await wants(desk, language="de")
    event = replied(2)
    about = event.ticket.model_copy(update={"assigned_to": BOB})
    await desk.tell(event.model_copy(update={"ticket": about}))
    await desk.heard(lambda told: told.template == "undelivered" and told.state == "sent")
    subjects = [parsed(mail.raw)["Subject"] for mail in smtp_server.mails]
    assert "Mail nicht zugestellt - [TCK-12] - Printer on fire" in subjects


async def test_the_team_hears_of_it_where_nobody_has_the_ticket(
    desk: Desk, smtp_server: Smtp
) -> None:
    smtp_server.script = _refused
    await desk.tell(opened(team=["team@example.com"]))
    told = await desk.heard(lambda told: told.template == "undelivered" and told.state == "sent")
    assert told.recipient == "team@example.com"


def _refused(command: str, address: str) -> str | None:
    return "550 5.1.1 unknown" if (command, address) == ("RCPT", "alice@client.test") else None


async def test_preferences_are_kept_and_told(desk: Desk) -> None:
    with pytest.raises(StaleVersion):
        await wants(desk, if_version=1)
    first = await wants(desk, events={"note": "off"}, if_version=0)
    assert (first.version, first.events) == (1, {"note": "off"})
    second = await wants(desk, events={"closed": "weekly"}, if_version=1, language="de")
    assert (second.version, second.events, second.language) == (2, {"closed": "weekly"}, "de")
    with pytest.raises(StaleVersion):
        await wants(desk, if_version=1)
    with pytest.raises(Invalid):
        await wants(desk, timezone="Mars/Base")
    await desk.hears(AgentNotificationsChanged, count=2)
    changed = [one for one in desk.heard_all if isinstance(one, AgentNotificationsChanged)]
    assert [one.notifications.version for one in changed] == [1, 2]
    await desk.tell(ReplayDocuments())
    await desk.hears(AgentNotificationsChanged, count=3)


@pytest.mark.parametrize("fields", [{"email": "b@new.example.com"}, {"name": "Bob B"}])
async def test_agents_are_known_as_they_are_now(desk: Desk, fields: Mapping[str, Any]) -> None:
    await desk.tell(agent())
    await desk.tell(agent(version=3, **{"email": BOB.email, **fields}))
    await desk.tell(agent(version=2))
    (row,) = await desk.database.pool.fetch("SELECT * FROM agents")
    assert row["version"] == 3
    assert {name: row[name] for name in fields} == fields
    await desk.tell(opened(assigned_to=BOB))
    told = await desk.heard(lambda one: one.template == "assigned" and one.state == "sent")
    assert told.recipient == fields.get("email", "bob@example.com")
