"""Who gets in by mail, and who does not: forged senders, numbers, references and tokens; bombs and
loops."""

import asyncio
from typing import Any

import pytest
from ticket_desk import ACTOR, Desk

from deskwire.contracts.mail import Address, Attachment, Body
from deskwire.contracts.people import CreateAgent
from deskwire.contracts.settings import MailboxSettings, PolicyChanges, UpdateClientSettings
from deskwire.contracts.threads import MailSender
from deskwire.contracts.ticket_commands import MergeTicket
from deskwire.contracts.tickets import TicketNoted, TicketOpened, TicketReplied

EVE = "eve@evil.test"
ALICE = "alice@client.test"


async def entries(desk: Desk, ticket_id: int) -> list[tuple[str, bool]]:
    rows = await desk.database.pool.fetch(
        "SELECT kind, verified FROM entries WHERE ticket_id = $1 ORDER BY id", ticket_id
    )
    return [(row["kind"], row["verified"]) for row in rows]


# Hijack: 28 of reliability.md D3.


def attacks(replied: TicketReplied) -> dict[str, dict[str, Any]]:
    token, message_id = replied.thread.token, replied.thread.message_id
    number, signature = token.removeprefix("e").split("-")
    other = f"e{int(number) + 1}-{signature}"
    return {
        "a number in the subject": {"subject": f"Re: [{replied.ticket.reference}] Printer"},
        "a number in brackets of its own": {"subject": "[TCK-1][TCK-2][TCK-3]"},
        "foreign references": {"references": ["<first@client.test>"]},
        "foreign in-reply-to": {"in_reply_to": ["<first@client.test>"]},
        "a token of another entry": {"to": [Address(email=f"support+{other}@example.com")]},
        "a cut signature": {"to": [Address(email=f"support+{token[:-1]}@example.com")]},
        "no signature": {"in_reply_to": [f"<e{number}@example.com>"]},
        "a changed signature": {"references": [message_id.replace(signature, "a" * 16)]},
        "a token in the subject": {"subject": token},
        "a token in the text": {"body": Body(text=message_id)},
    }


async def test_a_stranger_gets_nowhere(desk: Desk) -> None:
    client_id = await desk.client()
    await desk.mail(ALICE, message_id="<first@client.test>")
    replied = await desk.answered(client_id)
    before = await entries(desk, replied.ticket.id)
    for name, fields in attacks(replied).items():
        handled = await desk.mail(EVE, cc=[Address(email="eve2@evil.test")], **fields)
        assert (handled.outcome, handled.reason) == ("ignored", "unknown sender"), name
    assert await entries(desk, replied.ticket.id) == before
    watched = "SELECT count(*) FROM tickets WHERE watchers <> '{}'"
    assert await desk.database.pool.fetchval(watched) == 0


async def test_a_contact_of_another_client_opens_a_ticket_of_its_own(desk: Desk) -> None:
    client_id = await desk.client()
    first = await desk.mail(ALICE, message_id="<first@client.test>")
    replied = await desk.answered(client_id)
    await desk.client("Other", "other.test")
    named = {
        "a number in the subject": replied.ticket.id,
        "a number in brackets of its own": first.ticket_id,
        "foreign references": first.ticket_id,
        "foreign in-reply-to": first.ticket_id,
    }
    for name, fields in attacks(replied).items():
        handled = await desk.mail("alice@other.test", **fields)
        assert handled.outcome == "ticket", name
        assert handled.ticket_id != replied.ticket.id, name
        assert await related(desk, handled.ticket_id) == named.get(name), name


async def related(desk: Desk, ticket_id: int | None) -> int | None:
    """As which it says that it may be; that one says so in its history, too."""
    opened = await desk.next(TicketOpened, where=lambda e: e.ticket.id == ticket_id)
    found = opened.ticket.possibly_related
    back = (
        "SELECT ticket_id FROM history WHERE field = 'possibly_related' AND new::json->>'id' = $1"
    )
    assert await desk.database.pool.fetchval(back, str(ticket_id)) == found
    return found


async def test_a_mail_let_in_says_what_it_may_be_related_to(desk: Desk) -> None:
    replied = await desk.answered()
    subject = f"Re: [{replied.ticket.reference}] Printer"
    handled = await desk.mail(EVE, subject=subject, accepted=True)
    assert await related(desk, handled.ticket_id) == replied.ticket.id
    await desk.settings(unknown_senders="open")
    handled = await desk.mail("mallory@evil.test", subject=subject)
    assert await related(desk, handled.ticket_id) == replied.ticket.id
    handled = await desk.mail("mallory@evil.test", subject="Re: [TCK-77] Printer")
    assert await related(desk, handled.ticket_id) is None


async def test_a_stolen_token_says_where_and_never_who(desk: Desk) -> None:
    """Also on a ticket that is closed, or merged into another one."""
    client_id = await desk.client()
    first = await desk.answered(client_id, status="closed")
    second = await desk.answered(client_id)
    merge = MergeTicket(ticket_id=first.ticket.id, into=second.ticket.id, reason="", actor=ACTOR)
    stolen = {"in_reply_to": [first.thread.message_id], "cc": [Address(email="eve2@evil.test")]}
    handled = await desk.mail(EVE, **stolen)
    note = await desk.next(TicketNoted, where=lambda e: e.entry.author.email == EVE)
    assert (handled.outcome, handled.reason) == ("reply", "unverified sender")
    assert (note.ticket.status, note.ticket.watchers) == ("closed", ())
    assert (note.entry.kind, note.entry.verified, note.entry.author.type) == (
        "internal",
        False,
        "unknown",
    )
    await desk.ask(merge)
    handled = await desk.mail(EVE, **stolen)
    assert handled.ticket_id == second.ticket.id
    assert (await entries(desk, second.ticket.id))[-1] == ("internal", False)
    handled = await desk.mail(ALICE, **stolen)
    assert handled.ticket_id == second.ticket.id
    assert (await entries(desk, second.ticket.id))[-1] == ("client", True)


@pytest.mark.parametrize(
    ("wanted", "found", "outcome"),
    [
        ("not-failed", "fail", "quarantined"),
        ("not-failed", "none", "reply"),
        ("passed", "none", "quarantined"),
        ("passed", "pass", "reply"),
        ("any", "fail", "reply"),
    ],
)
async def test_a_forged_sender_is_quarantined_as_the_client_wants(
    desk: Desk, wanted: Any, found: str, outcome: str
) -> None:
    client_id = await desk.client()
    replied = await desk.answered(client_id)
    changes = PolicyChanges(sender_authentication=wanted)
    await desk.ask(
        UpdateClientSettings(client_id=client_id, changes=changes, if_version=1, actor=ACTOR)
    )
    fields = {"in_reply_to": [replied.thread.message_id], "authentication": found}
    assert (await desk.mail(ALICE, **fields)).outcome == outcome
    handled = await desk.mail(ALICE, **fields, accepted=True)
    assert (handled.outcome, handled.ticket_id) == ("reply", replied.ticket.id)


async def test_a_cc_adds_watchers_if_somebody_vouches_for_the_sender(desk: Desk) -> None:
    await desk.client()
    emails = ("bob@client.test", "Bob@Client.test", "support@example.com", "help@x.test", "no at")
    cc = [Address(email=email) for email in emails]
    fields = {"cc": cc, "mailbox": "help@x.test@imap.x.test/INBOX"}
    handled = await desk.mail(ALICE, **fields, message_id="<one@client.test>")
    answer = {"references": ["<one@client.test>"]}
    watched = "SELECT watchers FROM tickets WHERE id = $1"
    for found, watchers in (("none", []), ("pass", ["Bob@Client.test"])):
        await desk.mail(ALICE, **fields, **answer, authentication=found)
        assert await desk.database.pool.fetchval(watched, handled.ticket_id) == watchers
    opened = await desk.mail(ALICE, **fields, authentication="pass")
    assert await desk.database.pool.fetchval(watched, opened.ticket_id) == ["Bob@Client.test"]


# Bombs and loops: 29 of reliability.md D3.


def acknowledged(desk: Desk) -> list[bool]:
    """Whether clients heard of their tickets, the oldest first; each event comes to several."""
    opened = (event for event in desk.heard if isinstance(event, TicketOpened))
    told = {event.ticket.id: event.notify_client for event in opened}
    return [told[id] for id in sorted(told)]


async def test_a_bomb_costs_its_sender_alone(desk: Desk) -> None:
    await desk.client()
    await desk.client("Other", "other.test")
    await desk.settings(tickets_per_sender=5)
    outcomes = [(await desk.mail(ALICE)).outcome for _ in range(8)]
    assert outcomes == ["ticket"] * 5 + ["quarantined"] * 3
    assert (await desk.mail("Alice@CLIENT.test")).reason == "more than 5 new tickets within an hour"
    assert (await desk.mail("alice@other.test")).outcome == "ticket"
    assert acknowledged(desk) == [True] * 3 + [False] * 2 + [True]
    accepted = await desk.mail(ALICE, accepted=True)
    assert accepted.outcome == "ticket"


async def test_mails_that_are_handled_at_once_share_the_budget(desk: Desk) -> None:
    await desk.client()
    await desk.settings(tickets_per_sender=5)
    mails = [desk.mail(ALICE) for _ in range(12)]
    mails += [desk.mail(f"bob{number}@client.test") for number in range(20)]
    handled = await asyncio.gather(*mails, desk.mail("new@client.test"), desk.mail(EVE))
    alice, others = handled[:12], handled[12:-1]
    assert sorted(mail.outcome for mail in alice) == ["quarantined"] * 7 + ["ticket"] * 5
    assert {mail.outcome for mail in others} == {"ticket"}
    assert handled[-1].reason == "unknown sender"
    opened = [mail.ticket_id for mail in handled if mail.outcome == "ticket"]
    assert len(set(opened)) == len(opened) == 26


async def test_mails_of_a_new_sender_that_are_handled_at_once_make_one_contact(desk: Desk) -> None:
    client_id = await desk.client()
    mails = [desk.mail("new@client.test", subject=f"{number}") for number in range(8)]
    mails += [desk.mail("new@client.test", subject="Re: 0", in_reply_to=["<first@client.test>"])]
    first = desk.mail("new@client.test", subject="0", message_id="<first@client.test>")
    handled = await asyncio.gather(first, *mails)
    assert [mail.outcome for mail in handled] == ["ticket"] * 9 + ["reply"]
    assert handled[-1].ticket_id == handled[0].ticket_id
    sql = "SELECT count(*) FROM contacts WHERE client_id = $1 AND email_key = 'new@client.test'"
    assert await desk.database.pool.fetchval(sql, client_id) == 1


async def test_answers_have_a_budget_too(desk: Desk) -> None:
    replied = await desk.answered()
    await desk.settings(tickets_per_sender=1)
    answer = {"in_reply_to": [replied.thread.message_id]}
    for sender in (ALICE, EVE):
        outcomes = [(await desk.mail(sender, **answer)).outcome for _ in range(7)]
        assert outcomes == ["reply"] * 5 + ["quarantined"] * 2
    held = await desk.mail(ALICE, **answer)
    assert held.reason == "more than 5 answers within an hour"
    assert (await desk.mail(ALICE, **answer, accepted=True)).outcome == "reply"


async def test_an_authenticated_sender_is_acknowledged_within_the_budget(desk: Desk) -> None:
    await desk.client()
    for _ in range(5):
        await desk.mail(ALICE, authentication="pass")
    assert acknowledged(desk) == [True] * 5


async def test_two_helpdesks_fall_silent(desk: Desk) -> None:
    """The other one answers each of our mails as a person would, and forgets what it answers."""
    await desk.client()
    exchanged = 0
    await desk.mail(ALICE)
    while exchanged < 20:
        if not acknowledged(desk)[-1]:
            break
        exchanged += 1
        await desk.mail(ALICE, subject="Thank you for your request")
    assert exchanged == 3


async def test_an_auto_responder_is_noted_once_a_day(desk: Desk) -> None:
    replied = await desk.answered(status="closed")
    away = {"in_reply_to": [replied.thread.message_id], "kind": "auto-reply"}
    handled = await desk.mail(ALICE, **away, automatic="Auto-Submitted")
    note = await desk.next(TicketNoted)
    assert (handled.outcome, handled.reason) == ("reply", "auto-reply: Auto-Submitted")
    assert (note.ticket.status, note.entry.kind, note.entry.author.type) == (
        "closed",
        "internal",
        "contact",
    )
    logo = Attachment(blob_id="b1", name="logo.png", type="image/png", size=4, sha256="b1")
    handled = await desk.mail(ALICE, **away, automatic="Auto-Submitted", attachments=[logo])
    assert (handled.outcome, handled.reason) == (
        "ignored",
        "auto-reply: noted already today on the ticket",
    )
    assert await desk.database.pool.fetchval("SELECT count(*) FROM attachments") == 0
    handled = await desk.mail(ALICE, kind="auto-reply", automatic="Subject")
    assert (handled.outcome, handled.reason) == ("ignored", "auto-reply: Subject")


async def test_that_an_agent_is_away_is_no_matter_of_the_ticket(desk: Desk) -> None:
    replied = await desk.answered()
    await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    away = {"in_reply_to": [replied.thread.message_id], "kind": "auto-reply"}
    handled = await desk.mail("ben@example.com", automatic="Subject", **away)
    assert (handled.outcome, handled.reason) == ("ignored", "auto-reply: Subject")


# Mailboxes.


async def test_a_mailbox_has_a_client_and_an_agent(desk: Desk) -> None:
    client_id = await desk.client()
    agent = await desk.database.pool.fetchval(
        "INSERT INTO agents (name, email, email_key) VALUES ('Ann', 'a@x.test', 'a@x.test')"
        " RETURNING id"
    )
    rules = MailboxSettings(name="vip", client_id=client_id, assigned_to=agent)
    await desk.settings(mailboxes=(rules, MailboxSettings(name="off", parsing=False)))
    assert (await desk.mail(EVE)).outcome == "ignored"
    assert (await desk.mail(EVE, mailbox="vip")).outcome == "ticket"
    opened = await desk.next(TicketOpened)
    assert opened.ticket.client is not None
    assert opened.ticket.assigned_to is not None
    assert (opened.ticket.client.id, opened.ticket.assigned_to.id) == (client_id, agent)
    handled = await desk.mail(ALICE, mailbox="off")
    assert (handled.outcome, handled.reason) == ("ignored", "e-mail to ticket is switched off")
    await desk.database.pool.execute("UPDATE agents SET archived_at = now()")
    heard = len(desk.heard)
    assert (await desk.mail(ALICE, mailbox="vip")).outcome == "ticket"
    opened = await desk.next(TicketOpened, after=heard)
    assert opened.ticket.assigned_to is None


async def test_mails_about_a_ticket_come_from_its_mailbox(desk: Desk) -> None:
    await desk.client()
    box = MailboxSettings(name="brand", address="help@bücher.test", from_name="Brand")
    await desk.settings(mailboxes=(box, MailboxSettings(name="plain")), from_name="Desk")
    own = MailSender(name="Brand", address="help@xn--bcher-kva.test")
    own = own.model_copy(update={"reply_to": own.address})
    for mailbox, expected in (("brand", own), ("plain", MailSender(name="Desk"))):
        heard = len(desk.heard)
        handled = await desk.mail(ALICE, mailbox=mailbox)
        opened = await desk.next(TicketOpened, after=heard)
        assert opened.thread.sender == expected
        assert handled.ticket_id is not None
        await desk.mail(ALICE, in_reply_to=(opened.thread.message_id,), mailbox="plain")
        replied = await desk.next(TicketReplied, after=heard)
        assert replied.thread.sender == expected


async def test_our_other_addresses_watch_nothing(desk: Desk) -> None:
    """Their mails would come back."""
    await desk.client()
    boxes = (MailboxSettings(name="brand", address="help@bücher.test"), MailboxSettings(name="x"))
    await desk.settings(mailboxes=boxes, from_address="desk@brand.test")
    copied = ("Help@xn--bcher-kva.test", "desk@brand.test", "wim@brand.test")
    cc = [Address(email=email) for email in copied]
    await desk.mail(ALICE, cc=cc, authentication="pass")
    assert (await desk.next(TicketOpened)).ticket.watchers == ("wim@brand.test",)
