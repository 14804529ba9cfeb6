"""What became of a mail closes its ledger row."""

from deskwire.contracts.mail import MailHandled
from deskwire.messaging.consumer import Handlers
from deskwire.messaging.outbox import Transaction
from mail_ingest_svc.store import HANDLED


async def close_mail(handled: MailHandled, tx: Transaction) -> None:
    tx.append(
        HANDLED,
        id=handled.mail_id,
        state=handled.outcome,
        reason=handled.reason,
        ticket_id=handled.ticket_id,
        entry_id=handled.entry_id,
    )


HANDLERS: Handlers = {
    MailHandled: close_mail,
}
