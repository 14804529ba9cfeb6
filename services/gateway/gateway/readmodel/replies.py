"""What owners answer is kept before it goes out, so that whoever reads next finds it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from deskwire.contracts.invoices import DraftedInvoice, Invoice
from deskwire.contracts.mail import InboundMail
from deskwire.contracts.notifications import Delivery
from deskwire.contracts.ticket_commands import MergedTickets, TicketEntry
from deskwire.contracts.tickets import Ticket
from deskwire.contracts.timekeeping import KeptTime
from deskwire.contracts.webhooks import NewWebhook
from deskwire.db import Database
from gateway.readmodel.deliveries import keep_delivery
from gateway.readmodel.inbound import keep_inbound
from gateway.readmodel.invoices import keep_invoice
from gateway.readmodel.records import KINDS, keep_record
from gateway.readmodel.writing import keep_both, keep_tickets, keep_time


async def keep_reply(database: Database, reply: object) -> None:
    """What is no document, such as a preview, is not kept."""
    keep = KEEPERS.get(type(reply))
    if keep is not None:
        await keep(database, reply)


async def keep_merge(database: Database, merged: MergedTickets) -> None:
    await keep_tickets(database, merged.source, merged.target)


async def keep_draft(database: Database, drafted: DraftedInvoice) -> None:
    await keep_invoice(database, drafted.invoice)
    if drafted.ticket is not None:
        await keep_tickets(database, drafted.ticket)


async def keep_webhook(database: Database, made: NewWebhook) -> None:
    await keep_record(database, made.webhook)


KEEPERS: Mapping[type[Any], Callable[[Database, Any], Awaitable[None]]] = {
    TicketEntry: keep_both,
    Ticket: keep_tickets,
    MergedTickets: keep_merge,
    KeptTime: keep_time,
    Invoice: keep_invoice,
    DraftedInvoice: keep_draft,
    Delivery: keep_delivery,
    InboundMail: keep_inbound,
    NewWebhook: keep_webhook,
    **dict.fromkeys(KINDS, keep_record),
}
