"""What becomes of a mail."""

import asyncio
from collections.abc import Sequence

import pytest
from ticket_desk import Desk

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Address, Attachment, Body
from deskwire.contracts.people import (
    AgentChanges,
    ChangeAgent,
    ContactChanged,
    CreateAgent,
    CreateContact,
)
from deskwire.contracts.ticket_commands import AddEntry, GetTicket, RedactEntry
from deskwire.contracts.tickets import TicketNoted, TicketOpened, TicketReplied

AGENT = Author(type="agent", id=1, name="Ann")
ACTOR = Actor(author=AGENT, through=Through(type="key", id=3))


async def test_a_contact_opens_a_ticket(desk: Desk) -> None:
    await desk.client()
    handled = await desk.mail("Alice@Client.Test", message_id="<one@client.test>")
    opened = await desk.next(TicketOpened)
    assert (handled.outcome, handled.ticket_id) == ("ticket", opened.ticket.id)
    assert (opened.ticket.source, opened.entry.kind) == ("email", "client")
    assert opened.ticket.created_by.type == "contact"
    assert opened.thread.in_reply_to == "<one@client.test>"


async def test_a_stranger_of_a_registered_domain_becomes_a_contact(desk: Desk) -> None:
    client_id = await desk.client()
    assert (await desk.mail("bob@client.test")).outcome == "ticket"
    assert (await desk.mail("bob@client.test")).outcome == "ticket"
    made = await desk.next(ContactChanged, where=lambda e: e.contact.email == "bob@client.test")
    assert (made.contact.client_id, made.contact.name) == (client_id, "Bob")
    assert await desk.database.pool.fetchval("SELECT count(*) FROM contacts") == 2


@pytest.mark.parametrize(
    ("sender", "fields", "reason"),
    [
        ("eve@evil.test", {}, "unknown sender"),
        ("eve@sub.client.test", {}, "unknown sender"),
        ("alice@client.test", {"automatic": "Auto-Submitted"}, "automatic mail: Auto-Submitted"),
        (None, {}, "no usable sender"),
        ("not an address", {}, "no usable sender"),
    ],
)
async def test_what_is_ignored_and_why(
    desk: Desk, sender: str | None, fields: dict[str, object], reason: str
) -> None:
    await desk.client()
    handled = await desk.mail(sender, **fields)
    assert (handled.outcome, handled.reason) == ("ignored", reason)


async def test_an_accepted_mail_gets_in_whoever_sent_it(desk: Desk) -> None:
    client_id = await desk.client()
    handled = await desk.mail("eve@evil.test", accepted=True, automatic="List-Id", kind="list")
    opened = await desk.next(TicketOpened)
    assert (handled.outcome, opened.ticket.client) == ("ticket", None)
    assert opened.ticket.watchers == ("eve@evil.test",)
    heard = len(desk.heard)
    handled = await desk.mail("eve@evil.test", accepted=True, client_id=client_id)
    opened = await desk.next(TicketOpened, after=heard)
    assert opened.ticket.client is not None
    assert opened.ticket.contact is not None
    assert (opened.ticket.client.id, opened.ticket.contact.email) == (client_id, "eve@evil.test")
    assert (await desk.mail("eve@evil.test")).outcome == "ticket"


async def test_an_accepted_mail_without_a_sender(desk: Desk) -> None:
    client_id = await desk.client()
    await desk.mail(None, accepted=True, client_id=client_id)
    opened = await desk.next(TicketOpened)
    assert opened.ticket.client is not None
    assert (opened.ticket.client.id, opened.ticket.created_by.type) == (client_id, "unknown")
    handled = await desk.mail("eve@evil.test", accepted=True, client_id=77)
    assert (handled.outcome, handled.reason) == ("quarantined", "there is no client 77")


@pytest.mark.parametrize("way", ["references", "in_reply_to", "address", "team", "subject"])
async def test_an_answer_finds_its_ticket(desk: Desk, way: str) -> None:
    replied = await desk.answered()
    thread = replied.thread
    fields: dict[str, dict[str, object]] = {
        "references": {"references": ["<x@y.test>", thread.message_id]},
        "in_reply_to": {"in_reply_to": [thread.message_id]},
        "address": {"to": [Address(email=f"support+{thread.token}@example.com")]},
        "team": {"references": [f"<new-ticket.{thread.token}@elsewhere.test>"]},
        "subject": {"subject": f"Re: [{replied.ticket.reference}] Printer"},
    }
    heard = len(desk.heard)
    handled = await desk.mail("alice@client.test", **fields[way])
    assert (handled.outcome, handled.ticket_id) == ("reply", replied.ticket.id)
    told = await desk.next(TicketReplied, after=heard, where=lambda e: e.entry.kind == "client")
    answer = told.entry
    assert (answer.kind, answer.author.type, answer.verified) == ("client", "contact", True)


async def test_an_answer_to_the_clients_own_first_mail(desk: Desk) -> None:
    await desk.client()
    first = await desk.mail("alice@client.test", message_id="<first@client.test>")
    second = await desk.mail("alice@client.test", references=["<first@client.test>"])
    assert (second.outcome, second.ticket_id) == ("reply", first.ticket_id)


@pytest.mark.parametrize(("said", "shown"), [("", "Alice"), ("Ali via web", "Ali via web")])
async def test_who_answers_without_a_name_is_called_as_we_know_them(
    desk: Desk, said: str, shown: str
) -> None:
    replied = await desk.answered()
    sender = Address(email="alice@client.test", name=said)
    await desk.mail(sender, in_reply_to=[replied.thread.message_id])
    answer = await desk.next(TicketReplied, where=lambda event: event.entry.kind == "client")
    assert answer.entry.author.name == shown


async def test_a_stranger_with_a_number_opens_nothing(desk: Desk) -> None:
    replied = await desk.answered()
    subject = f"[{replied.ticket.reference}]"
    assert (await desk.mail("eve@evil.test", subject=subject)).outcome == "ignored"
    other = await desk.client("Other Client", "other.test")
    handled = await desk.mail("alice@other.test", subject=subject)
    assert handled.outcome == "ticket"
    assert handled.ticket_id != replied.ticket.id
    assert other


@pytest.mark.parametrize("by", ["subject", "token"])
async def test_a_colleague_by_domain_takes_part_at_once(desk: Desk, by: str) -> None:
    replied = await desk.answered()
    token = {"in_reply_to": [replied.thread.message_id]}
    named = {"subject": f"Re: [{replied.ticket.reference}]"} if by == "subject" else token
    handled = await desk.mail("bob@client.test", **named)
    assert (handled.outcome, handled.ticket_id) == ("reply", replied.ticket.id)
    answer = await desk.next(TicketReplied, where=lambda event: event.entry.kind == "client")
    made = await desk.next(ContactChanged, where=lambda e: e.contact.email == "bob@client.test")
    assert (answer.entry.author.type, answer.entry.author.id) == ("contact", made.contact.id)
    assert answer.ticket.watchers == ("bob@client.test",), "they wait for what is answered"
    other = await desk.mail("eve@sub.client.test", **named)
    assert other.reason in ("unknown sender", "unverified sender")


async def test_a_stranger_with_a_token_leaves_an_unverified_note(desk: Desk) -> None:
    replied = await desk.answered()
    await desk.ask(
        AddEntry(
            ticket_id=replied.ticket.id,
            kind="public",
            body=Body(text="bye"),
            author=AGENT,
            status="closed",
        )
    )
    handled = await desk.mail(
        "eve@evil.test",
        in_reply_to=[replied.thread.message_id],
        cc=[Address(email="eve2@evil.test")],
    )
    note = await desk.next(TicketNoted)
    assert (handled.outcome, handled.reason) == ("reply", "unverified sender")
    assert (note.entry.kind, note.entry.verified) == ("internal", False)
    assert (note.ticket.status, note.ticket.watchers) == ("closed", ())


async def test_what_an_agent_answers_by_mail_is_their_note(desk: Desk) -> None:
    replied = await desk.answered()
    ben = await desk.ask(CreateAgent(name="Ben", email="ben@example.com"))
    answer = {
        "in_reply_to": [replied.thread.message_id],
        "cc": [Address(email="cy@else.test")],
        "authentication": "pass",
    }
    handled = await desk.mail("Ben@Example.com", **answer)
    note = await desk.next(TicketNoted)
    assert (handled.outcome, handled.reason) == ("reply", "")
    assert note.entry.author == Author(type="agent", id=ben.id, name="Ben", email=ben.email)
    assert (note.entry.kind, note.entry.verified) == ("internal", True)
    assert note.ticket.watchers == ()
    await desk.ask(ChangeAgent(id=ben.id, changes=AgentChanges(archived=True)))
    left = await desk.mail("ben@example.com", **answer)
    assert (left.outcome, left.reason) == ("reply", "unverified sender")


async def test_an_agent_whom_a_client_copies_in_writes_notes_too(desk: Desk) -> None:
    """They watch the ticket then; what they write is not the client's."""
    replied = await desk.answered()
    await desk.ask(CreateAgent(name="Ben", email="ben@elsewhere.test"))
    answer = {"in_reply_to": [replied.thread.message_id], "authentication": "pass"}
    await desk.mail("alice@client.test", cc=[Address(email="ben@elsewhere.test")], **answer)
    await desk.mail("ben@elsewhere.test", **answer)
    note = await desk.next(TicketNoted)
    assert note.ticket.watchers == ("ben@elsewhere.test",)
    assert (note.entry.kind, note.entry.author.name) == ("internal", "Ben")


async def test_who_got_an_answer_from_its_writer_is_told(desk: Desk) -> None:
    """Of the ticket's people; nobody needs it twice."""
    replied = await desk.answered()
    cc = [Address(email=email) for email in ("wim@client.test", "else@else.test")]
    answer = {"in_reply_to": [replied.thread.message_id], "authentication": "pass"}
    await desk.mail("alice@client.test", cc=cc[:1], **answer)
    first = await desk.next(TicketReplied, where=lambda event: event.entry.kind == "client")
    assert first.reached == ("wim@client.test",)
    to = [Address(email="Alice@Client.Test"), Address(email="support@example.com")]
    heard = len(desk.heard)
    await desk.mail("wim@client.test", to=to, cc=cc[1:], **answer | {"authentication": "none"})
    assert (await desk.next(TicketReplied, after=heard)).reached == ("alice@client.test",)


async def test_the_contact_of_a_ticket_does_not_watch_it_too(desk: Desk) -> None:
    """Also where somebody copies them in, or they themselves."""
    client_id = await desk.client()
    cc = [Address(email=email) for email in ("Alice@client.test", "wim@else.test")]
    copied = {"cc": cc, "authentication": "pass"}
    assert (await desk.mail("alice@client.test", **copied)).outcome == "ticket"
    assert (await desk.next(TicketOpened)).ticket.watchers == ("wim@else.test",)
    replied = await desk.answered(client_id)
    await desk.mail("bob@client.test", in_reply_to=[replied.thread.message_id], **copied)
    answer = await desk.next(TicketReplied, where=lambda event: event.entry.kind == "client")
    assert answer.ticket.watchers == ("bob@client.test", "wim@else.test")


async def test_who_hears_of_a_ticket_joins_it_by_no_other_spelling(desk: Desk) -> None:
    client_id = await desk.client()
    values = {"client_id": client_id, "name": "Jo", "email": "jo@bücher.test"}
    jo = await desk.ask(CreateContact.model_validate(values))
    watchers = ("wim@bücher.test",)
    opened = await desk.open(client_id, contact_id=jo.id, watchers=watchers)
    heard = len(desk.heard)
    for name in ("jo", "wim"):
        subject = f"Re: [{opened.ticket.reference}]"
        await desk.mail(f"{name}@xn--bcher-kva.test", subject=subject)
    answers = [each for each in desk.heard[heard:] if isinstance(each, TicketReplied)]
    assert [answer.ticket.watchers for answer in answers] == [watchers, watchers]


async def test_a_forged_token_counts_for_nothing(desk: Desk) -> None:
    replied = await desk.answered()
    forged = replied.thread.message_id.replace("-", "-a", 1)
    assert (await desk.mail("eve@evil.test", in_reply_to=[forged])).outcome == "ignored"


async def test_attachments_are_kept_with_ids(desk: Desk) -> None:
    await desk.client()
    files = [
        Attachment(blob_id="b1", name="a.txt", type="text/plain", size=3, sha256="b1"),
        Attachment(blob_id="b2", name="b.png", type="image/png", size=4, sha256="b2", inline=True),
    ]
    await desk.mail("alice@client.test", attachments=files)
    kept = (await desk.next(TicketOpened)).entry.attachments
    assert _shown(kept) == [("a.txt", 3, False), ("b.png", 4, True)]
    assert len({file.id for file in kept}) == 2


def _shown(files: Sequence[StoredFile]) -> list[tuple[str, int, bool]]:
    return [(file.name, file.size, file.inline) for file in files]


async def test_what_a_mail_quotes_is_kept_beside_what_it_says(desk: Desk) -> None:
    await desk.client()
    body = Body(text="Yes.", html="<p>Yes.</p>", quoted="> Does it blink?", signature="-- \nAlice")
    handled = await desk.mail("alice@client.test", body=body)
    opened = await desk.next(TicketOpened)
    assert opened.entry.body == opened.ticket.body == body
    await desk.mail("alice@client.test", subject=f"Re: [{opened.ticket.reference}]", body=body)
    assert (await desk.next(TicketReplied)).entry.body == body
    command = RedactEntry(ticket_id=opened.ticket.id, entry_id=opened.entry.id, actor=ACTOR)
    redacted = await desk.ask(command)
    assert redacted.entry.body == redacted.ticket.body == Body(text="")
    assert handled.entry_id == redacted.entry.id


async def test_answers_that_are_handled_at_once_leave_what_they_set_off(desk: Desk) -> None:
    """Each reopens its ticket, whose alarm is off then; the next one finds that."""
    client_id = await desk.client()
    asked = [await desk.answered(client_id, status="auto-close") for _ in range(6)]
    heard = len(desk.heard)
    answers = [
        desk.mail("alice@client.test", in_reply_to=[event.thread.message_id], message_id=None)
        for event in asked
        for _ in range(3)
    ]
    handled = await asyncio.gather(*answers)
    assert {mail.outcome for mail in handled} == {"reply"}
    for event in asked:
        now = await desk.ask(GetTicket(ticket_id=event.ticket.id))
        assert (now.status, now.auto_close, now.entry_count) == ("open", None, 5)
        told = [said.ticket for said in desk.heard[heard:] if isinstance(said, TicketReplied)]
        versions = {ticket.version: ticket for ticket in told if ticket.id == now.id}
        assert versions[max(versions)] == now


async def test_an_answer_finds_the_mail_that_came_with_it(desk: Desk) -> None:
    await desk.client()
    ids = [f"<{number}@client.test>" for number in range(5)]
    first = [desk.mail("alice@client.test", message_id=id) for id in ids]
    second = [desk.mail("alice@client.test", references=[id], subject="Re: it") for id in ids]
    handled = await asyncio.gather(*first, *second)
    opened = [mail.ticket_id for mail in handled[:5]]
    assert len(set(opened)) == 5
    assert [(mail.outcome, mail.ticket_id) for mail in handled[5:]] == [
        ("reply", ticket_id) for ticket_id in opened
    ]
