"""What notify-svc does on which message."""

from functools import partial

from deskwire.contracts import notifications as contracts
from deskwire.contracts import tickets
from deskwire.contracts import webhooks as webhook_contracts
from deskwire.contracts.invoices import InvoiceChanged, InvoiceDrafted
from deskwire.contracts.mail import MailBounced
from deskwire.contracts.people import AgentChanged
from deskwire.contracts.replay import ReplayDocuments
from deskwire.messaging.handling import Handlers
from deskwire.messaging.outbox import Transaction
from deskwire.messaging.replay import replaying
from notify_svc.domain.mails import Told
from notify_svc.handlers import agents, mails, suppressions, webhooks
from notify_svc.store.replay import KINDS


async def tell(event: Told, tx: Transaction) -> None:
    """People by mail, programs by webhooks."""
    await mails.queue_mails(event, tx)
    webhooks.queue_webhooks(event, tx)


async def tell_of_invoice(event: InvoiceChanged, tx: Transaction) -> None:
    mails.queue_bills(event, tx)
    await webhooks.tell_of_invoice(event, tx)


def handlers(*, private_webhooks: bool) -> Handlers:
    return {
        tickets.TicketOpened: tell,
        tickets.TicketReplied: tell,
        tickets.TicketNoted: tell,
        tickets.TicketChanged: tell,
        tickets.TicketChased: tell,
        tickets.TicketDeadline: tell,
        tickets.TicketMerged: tell,
        tickets.TicketRated: tell,
        InvoiceDrafted: webhooks.tell_of_invoice,
        InvoiceChanged: tell_of_invoice,
        AgentChanged: agents.keep_agent,
        MailBounced: mails.note_bounce,
        contracts.SetAgentNotifications: agents.set_notifications,
        contracts.StopDigest: agents.stop_digest,
        contracts.RetryDelivery: mails.retry_delivery,
        contracts.AddSuppression: suppressions.add_suppression,
        contracts.RemoveSuppression: suppressions.remove_suppression,
        webhook_contracts.CreateWebhook: partial(webhooks.create_webhook, private=private_webhooks),
        webhook_contracts.ChangeWebhook: partial(webhooks.change_webhook, private=private_webhooks),
        webhook_contracts.ReplayWebhook: webhooks.replay_webhook,
        ReplayDocuments: replaying(KINDS),
    }
