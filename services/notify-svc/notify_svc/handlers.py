"""What notify-svc does on which message: one delivery row for each recipient of each mail."""

from deskwire.contracts.replay import ReplayDocuments
from deskwire.contracts.tickets import TicketOpened, TicketReplied
from deskwire.html import clean_text
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import replaying
from notify_svc import domain, store


async def queue_mails(event: TicketOpened | TicketReplied, tx: Transaction) -> None:
    for mail in domain.mails(event):
        tx.append(
            store.QUEUE,
            entry_id=mail.entry_id,
            ticket_id=mail.notice.ticket_id,
            template=mail.template,
            recipient=clean_text(mail.recipient),
            message_id=clean_text(mail.message_id),
            context=mail.notice.model_dump_json(),
        )


HANDLERS: Handlers = {
    TicketOpened: queue_mails,
    TicketReplied: queue_mails,
    ReplayDocuments: replaying(store.KINDS),
}
