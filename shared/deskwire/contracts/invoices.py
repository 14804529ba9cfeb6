"""Invoices of the time that was worked: documents, commands, events. ticket-svc owns them."""

import datetime as dt
from datetime import datetime
from typing import Literal

from deskwire.contracts.actors import Actor, Author, Named
from deskwire.contracts.base import Command, Document, Event
from deskwire.contracts.money import Money
from deskwire.contracts.settings import InvoiceLines, Seller
from deskwire.contracts.threads import MailSender
from deskwire.contracts.tickets import Ticket

InvoiceState = Literal["draft", "issued", "void"]


class Buyer(Document):
    """The client as the invoice names it; its address is that of its primary location."""

    name: str
    address: str | None = None
    tax_id: str | None = None


class InvoiceLine(Document):
    """What was worked on a ticket at one rate, or one time entry of it.

    ``ticket.name`` is its reference. ``seconds`` were worked; ``quantity`` are the hours billed for
    them, with four digits behind the point; ``amount`` is quantity times ``rate``, ``tax`` that of
    it at ``tax_rate`` percent, each rounded half up to the smallest unit of the currency.
    ``agent`` and ``time_entry_id`` are there on lines of one time entry.
    """

    id: int
    ticket: Named
    description: str
    agent: Named | None = None
    time_entry_id: int | None = None
    worked_from: dt.date
    worked_to: dt.date
    seconds: int
    quantity: str
    rate: Money
    amount: Money
    tax_rate: str
    tax: Money
    total: Money


class Invoice(Document):
    """A draft, until it is issued; then it never changes, but can be void.

    ``seller``, ``buyer`` and ``language`` are as they were when it was last changed. ``date`` is
    that of the issue, of a draft that of its last change; ``subtotal``, ``tax`` and ``total`` are
    the sums of the lines.
    """

    id: int
    number: int
    prefix: str
    reference: str
    state: InvoiceState
    client: Named
    seller: Seller
    buyer: Buyer
    language: str
    date: dt.date
    due: dt.date
    currency: str
    lines: tuple[InvoiceLine, ...]
    subtotal: Money
    tax: Money
    total: Money
    created_at: datetime
    created_by: Author
    updated_at: datetime
    issued_at: datetime | None = None
    voided_at: datetime | None = None
    void_reason: str | None = None
    version: int = 1


class DraftedInvoice(Document):
    """A draft, and the ticket that it was made of when that is a single one."""

    invoice: Invoice
    ticket: Ticket | None = None


# Commands. What is billed is billable time that is on no other invoice, and of no running timer.


class InvoiceTicket(Command[DraftedInvoice], name="ticket.invoice.v1"):
    """``invoice_id``: the draft to which it is added, None for a new one. ``rate`` is that of this
    ticket, before the client's; ``lines`` is None for as the settings say."""

    ticket_id: int
    invoice_id: int | None = None
    rate: Money | None = None
    lines: InvoiceLines | None = None
    actor: Actor


class InvoiceClient(Command[DraftedInvoice], name="client.invoice.v1"):
    """Of all the client's tickets that were closed in the range: ``since`` is in it, ``until``
    is not."""

    client_id: int
    since: datetime
    until: datetime
    lines: InvoiceLines | None = None
    actor: Actor


class IssueInvoice(Command[Invoice], name="invoice.issue.v1"):
    """``if_version`` is the version that the caller saw (None: whatever it is now)."""

    invoice_id: int
    actor: Actor
    if_version: int | None = None


class VoidInvoice(Command[Invoice], name="invoice.void.v1"):
    """It keeps its number; its time can be invoiced again."""

    invoice_id: int
    reason: str = ""
    actor: Actor
    if_version: int | None = None


# Events.


class InvoiceEvent(Event):
    invoice: Invoice

    @property
    def aggregate(self) -> str:
        return f"invoice:{self.invoice.id}"


class InvoiceDrafted(InvoiceEvent, name="invoice.drafted.v1"):
    """There is a new draft."""


class InvoiceReader(Document):
    """Who is told of an invoice. ``language`` is what they read; ``agent_id``: as an agent."""

    name: str
    email: str
    language: str
    agent_id: int | None = None


class InvoiceMail(Document):
    """Who gets an invoice by mail, and who that comes from.

    ``token`` is the signed part of the Message-ID, for the address that bounces go to.
    ``responsible``: who hears when it did not arrive.
    """

    to: tuple[InvoiceReader, ...]
    message_id: str
    token: str = ""
    responsible: tuple[InvoiceReader, ...] = ()
    sender: MailSender = MailSender()


class InvoiceChanged(InvoiceEvent, name="invoice.changed.v1"):
    """``what`` was done to it; None: it is told anew. ``mail``: it is to be sent."""

    what: Literal["added", "issued", "void"] | None = None
    mail: InvoiceMail | None = None
