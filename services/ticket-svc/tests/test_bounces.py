"""Bounces of our mails."""

from typing import Any

from ticket_desk import Desk

from deskwire.contracts.mail import MailBounced, Undelivered
from deskwire.contracts.people import ChangeContact, ContactChanged, ContactChanges
from deskwire.contracts.tickets import TicketNoted

ALICE = "alice@client.test"
GONE = Undelivered(address="Alice@client.test", status="5.1.1", cause="userunknown", hard=True)
FULL = Undelivered(address="bob@client.test", status="4.2.2", cause="mailboxfull")


async def test_a_bounce_is_noted_and_marks_the_address(desk: Desk) -> None:
    client_id = await desk.client()
    replied = await desk.answered(client_id, status="closed")
    bounce = {"kind": "bounce", "automatic": "message/delivery-status"}
    returned = bounce | {"bounced_id": replied.thread.message_id, "undelivered": [GONE, FULL]}
    handled = await desk.mail("mailer-daemon@client.test", **returned)
    note = await desk.next(TicketNoted)
    assert (handled.outcome, handled.ticket_id) == ("reply", replied.ticket.id)
    assert (note.entry.author.type, note.entry.kind, note.ticket.status) == (
        "system",
        "internal",
        "closed",
    )
    assert note.entry.body.text == (
        "A mail was not delivered to Alice@client.test: 5.1.1 userunknown\n"
        "A mail was not yet delivered to bob@client.test: 4.2.2 mailboxfull"
    )
    told = await desk.next(MailBounced)
    assert (told.message_id, told.undelivered) == (replied.thread.message_id, (GONE, FULL))
    marked = await desk.next(ContactChanged, where=lambda e: e.contact.undeliverable is not None)
    assert (marked.contact.email, marked.contact.undeliverable) == (ALICE, "5.1.1 userunknown")
    assert (await desk.mail(None, **returned)).reason == "bounce: noted already today on the ticket"
    taken_back = ContactChange(marked.contact.id, undeliverable=None)
    assert (await desk.ask(taken_back)).undeliverable is None
    await desk.mail(None, **returned | {"undelivered": [GONE]})
    moved = await desk.ask(ContactChange(marked.contact.id, email="alice@new.test"))
    assert (moved.email, moved.undeliverable) == ("alice@new.test", None)


def ContactChange(id: int, **changes: Any) -> ChangeContact:  # noqa: N802  # makes one
    return ChangeContact(id=id, changes=ContactChanges(**changes))


async def test_a_bounce_is_known_by_the_address_that_it_went_to(desk: Desk) -> None:
    replied = await desk.answered()
    to = [{"email": f"support+{replied.thread.token}@example.com"}]
    bounce = {"kind": "bounce", "automatic": "From", "undelivered": [GONE], "to": to}
    assert (await desk.mail(None, **bounce)).ticket_id == replied.ticket.id
    assert (await desk.next(MailBounced)).message_id == replied.thread.message_id


async def test_a_bounce_of_no_mail_of_ours_is_ignored(desk: Desk) -> None:
    await desk.answered()
    forged = {"kind": "bounce", "automatic": "From", "undelivered": [GONE]}
    for bounced_id in ("<x@client.test>", "<e1-aaaaaaaaaaaaaaaa@example.com>", None):
        handled = await desk.mail(None, **forged, bounced_id=bounced_id)
        assert (handled.outcome, handled.reason) == ("ignored", "bounce: From, of no mail of ours")


async def test_bounces_of_one_mail_end(desk: Desk) -> None:
    replied = await desk.answered()
    bounce = {"kind": "bounce", "bounced_id": replied.thread.message_id}
    failed = [FULL.model_copy(update={"address": f"{n}@client.test"}) for n in range(22)]
    handled = [await desk.mail(None, **bounce, undelivered=[each]) for each in failed]
    assert [each.outcome for each in handled] == ["reply"] * 20 + ["ignored"] * 2


async def test_a_forged_bounce_marks_no_contact_of_another_client(desk: Desk) -> None:
    replied = await desk.answered()
    await desk.client("Other", "other.test")
    other = GONE.model_copy(update={"address": "alice@other.test"})
    await desk.mail(None, kind="bounce", bounced_id=replied.thread.message_id, undelivered=[other])
    count = "SELECT count(*) FROM contacts WHERE undeliverable IS NOT NULL"
    assert await desk.database.pool.fetchval(count) == 0
