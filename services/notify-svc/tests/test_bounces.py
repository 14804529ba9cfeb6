"""Mails that come back."""

import pytest
from notify_desk import Desk, replied

from deskwire.contracts.mail import MailBounced, Undelivered
from deskwire.contracts.notifications import AddSuppression, RemoveSuppression, SuppressionChanged
from deskwire.errors import Conflict, NotFound
from deskwire.local import Smtp
from deskwire.messaging.requests import ask


def bounce(message_id: str, *undelivered: tuple[str, str]) -> MailBounced:
    told = tuple(
        Undelivered(address=address, status=status, cause="userunknown")
        for address, status in undelivered
    )
    return MailBounced(mail_id=1, ticket_id=12, message_id=message_id, undelivered=told)


async def test_a_delivery_that_came_back_says_so(desk: Desk, smtp_server: Smtp) -> None:
    await desk.tell(replied(2, watchers=["bob@client.test"]))
    sent = await desk.state("sent", count=2)
    await desk.tell(bounce(sent.message_id, ("Bob@Client.test", "4.2.2")))
    await desk.tell(bounce(sent.message_id, ("who@else.test", "5.1.1")))
    assert [row["state"] for row in await desk.rows()] == ["sent", "sent"]
    await desk.tell(bounce(sent.message_id, ("Bob@Client.test", "5.1.1")))
    back = await desk.state("bounced")
    assert (back.recipient, back.answer) == ("bob@client.test", "bounced: 5.1.1 userunknown")
    assert sorted(row["state"] for row in await desk.rows()) == ["bounced", "sent"]
    await desk.tell(bounce(sent.message_id, ("forwarded@else.test", "5.1.1")))
    back = await desk.state("bounced", count=2)
    assert back.recipient == "alice@client.test", "is the only one that it can be"


async def test_what_nothing_reaches_gets_no_more_mail_until_somebody_says_so(
    desk: Desk, smtp_server: Smtp
) -> None:
    await desk.tell(replied(2))
    sent = await desk.state("sent")
    await desk.tell(bounce(sent.message_id, ("alice@client.test", "5.1.1")))
    await desk.hears(SuppressionChanged, count=1)
    (told,) = [one for one in desk.heard_all if isinstance(one, SuppressionChanged)]
    assert told.suppression.email == "alice@client.test"
    assert told.suppression.delivery_id == sent.id
    await desk.tell(replied(3))
    failed = await desk.state("failed")
    assert failed.answer == "not tried, the address is suppressed: bounced: 5.1.1 userunknown"
    with pytest.raises(Conflict):
        await ask(desk.broker, AddSuppression(email="ALICE@client.test", reason="again"))
    removed = (await ask(desk.broker, RemoveSuppression(id=told.suppression.id))).reply
    assert (removed.version, removed.archived_at is not None) == (2, True)
    await desk.tell(replied(4))
    await desk.state("sent", count=2)
    assert len(smtp_server.mails) == 2
    with pytest.raises(NotFound):
        await ask(desk.broker, RemoveSuppression(id=999))


async def test_a_server_that_knows_no_such_address_is_asked_once(
    desk: Desk, smtp_server: Smtp
) -> None:
    smtp_server.script = lambda command, _: "550 5.1.1 unknown" if command == "RCPT" else None
    await desk.tell(replied(2))
    await desk.state("failed")
    smtp_server.clear()
    await desk.tell(replied(3))
    assert "suppressed" in ((await desk.state("failed", count=2)).answer or "")
    await ask(desk.broker, AddSuppression(email="bob@client.test", reason="asked for it"))
    await desk.tell(replied(4, contact=None, watchers=["BOB@client.test"]))
    assert "asked for it" in ((await desk.state("failed", count=3)).answer or "")
    assert smtp_server.mails == []
