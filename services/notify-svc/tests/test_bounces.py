"""Mails that come back."""

from notify_desk import Desk, replied

from deskwire.contracts.mail import MailBounced, Undelivered
from deskwire.local import Smtp


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
