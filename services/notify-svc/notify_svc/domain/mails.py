"""What a mail is: which one, to whom, and all that it says."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal, get_args

from deskwire.contracts.actors import Author, Person
from deskwire.contracts.base import Document
from deskwire.contracts.entries import Entry, StoredFile
from deskwire.contracts.invoices import InvoiceChanged, InvoiceReader
from deskwire.contracts.mail import Body
from deskwire.contracts.money import Money
from deskwire.contracts.notifications import AgentEvent, Telling
from deskwire.contracts.threads import LastMessage, MailSender, MailThread
from deskwire.contracts.tickets import (
    HistoryItem,
    TicketChanged,
    TicketChased,
    TicketDeadline,
    TicketMerged,
    TicketNoted,
    TicketOpened,
    TicketRated,
    TicketReplied,
)
from notify_svc.domain.agents import Agent

ClientTemplate = Literal[
    "ticket-created", "public-reply", "status-changed", "chaser", "ticket-closed", "ticket-merged"
]
Template = Literal[
    ClientTemplate, "new-ticket", AgentEvent, "digest", "invoice", "invoice-undelivered"
]

CLIENT_TEMPLATES: frozenset[Template] = frozenset(get_args(ClientTemplate))

Told = (
    TicketOpened
    | TicketReplied
    | TicketNoted
    | TicketChanged
    | TicketChased
    | TicketDeadline
    | TicketMerged
    | TicketRated
)


class Notice(Document):
    """What a mail says: everything that its template may show and its headers need.

    ``variant`` is which of a mail's sentences fit; ``author`` who did what is told of; ``into`` the
    ticket that this one was merged into; ``answer`` what a server said of a mail to ``failed``;
    ``lead`` what the desk says in place of the first sentence; ``asked`` the contact that is asked
    how it went; ``watches``: the recipient can stop watching the ticket;
    ``team`` hears of what nobody has; ``quotes`` stands below.
    """

    ticket_id: int
    reference: str
    subject: str
    client: str = ""
    contact: str = ""
    assignee: Person | None = None
    team: tuple[str, ...] = ()
    priority: str
    source: str
    author: str = ""
    to_name: str = ""
    into: str = ""
    failed: str = ""
    answer: str = ""
    lead: str = ""
    asked: int | None = None
    watches: bool = False
    closes_at: datetime | None = None
    due_at: datetime | None = None
    variant: str = ""
    timezone: str = "UTC"
    language: str = "en"
    team_language: str = "en"
    body: Body
    files: tuple[StoredFile, ...] = ()
    quotes: LastMessage | None = None
    token: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    sender: MailSender = MailSender()


class DigestItem(Document):
    event: AgentEvent
    at: datetime
    notice: Notice


class Digest(Document):
    """What one agent is told of at once; ``items`` are there when it goes out."""

    agent_id: int | None = None
    to_name: str = ""
    every: Telling
    language: str = "en"
    timezone: str = "UTC"
    sender: MailSender = MailSender()
    items: tuple[DigestItem, ...] = ()


class Bill(Document):
    """An invoice that one person is told of.

    ``responsible``: who hears when it does not arrive; ``answer`` what a server said of it to
    ``failed``.
    """

    invoice_id: int
    reference: str
    client: str
    total: Money
    due: date
    to_name: str = ""
    failed: str = ""
    answer: str = ""
    language: str = "en"
    token: str = ""
    responsible: tuple[InvoiceReader, ...] = ()
    sender: MailSender = MailSender()


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient. It exists once for what it is about, whatever is told twice.

    ``about`` is an entry, or a version of a ticket; ``agent_id`` is whose preferences say when it
    goes out.
    """

    about: str
    template: Template
    recipient: str
    message_id: str
    notice: Notice | Digest | Bill
    agent_id: int | None = None

    def saying(self, **values: Any) -> "Mail":
        return replace(self, notice=self.notice.model_copy(update=values))


def entry_of(event: Told) -> Entry | None:
    """The entry that was added."""
    if isinstance(event, TicketOpened | TicketReplied | TicketNoted):
        return event.entry
    return None


def actor(event: Told) -> Author:
    """Who did what the event tells of."""
    if entry := entry_of(event):
        return entry.author
    return event.history[0].by if event.history else Author(type="system")


def change(event: Told, field: str) -> HistoryItem | None:
    return next((item for item in event.history if item.field == field), None)


def team_of(event: Told) -> tuple[str, ...]:
    if isinstance(event, TicketOpened | TicketReplied | TicketNoted | TicketDeadline | TicketRated):
        return event.team
    return ()


def reached_by_mail(event: Told) -> set[str]:
    """Who has the text from its writer."""
    reached = event.reached if isinstance(event, TicketReplied) else ()
    return {email.casefold() for email in reached}


def about(event: Told) -> str:
    if entry := entry_of(event):
        return f"entry:{entry.id}"
    return f"ticket:{event.ticket.id}:{event.ticket.version}"


def notice(event: Told, thread: MailThread) -> Notice:
    """What all mails about it say. Of a merge they speak of the ticket that is gone."""
    ticket = event.source if isinstance(event, TicketMerged) else event.ticket
    return Notice(
        ticket_id=event.ticket.id,
        reference=ticket.reference,
        subject=ticket.subject,
        client=ticket.client.name if ticket.client else "",
        contact=ticket.contact.name if ticket.contact else "",
        assignee=event.ticket.assigned_to,
        team=team_of(event),
        priority=ticket.priority,
        source=ticket.source,
        author=actor(event).name,
        into=event.ticket.reference if isinstance(event, TicketMerged) else "",
        lead=(event.text or "") if isinstance(event, TicketChased) else "",
        closes_at=ticket.auto_close and ticket.auto_close.closes_at,
        due_at=event.due_at if isinstance(event, TicketDeadline) else None,
        timezone=thread.timezone,
        team_language=thread.team_language,
        body=Body(text=""),
        token=thread.token,
        in_reply_to=thread.in_reply_to,
        references=thread.references,
        sender=thread.sender,
    )


def message_id(template: Template, event: Told, thread: MailThread) -> str:
    """Clients get an entry's own Message-ID, which later mails refer to; every other mail has one
    with the same token, by which an answer is known too."""
    if entry_of(event) is None:
        return derived_id(f"{template}.{event.ticket.version}", thread.message_id)
    if template in CLIENT_TEMPLATES:
        return thread.message_id
    return derived_id("new" if template == "new-ticket" else template, thread.message_id)


def derived_id(prefix: str, message_id: str) -> str:
    return f"<{prefix}.{message_id[1:]}"


def digest(mail: Mail, agent: Agent, every: Telling, due: datetime, stamp: str) -> Mail:
    """The digest of an agent that takes up what the mail would say; ``stamp`` nobody can guess."""
    notice = mail.notice
    said = Digest(
        agent_id=agent.id,
        to_name=agent.name,
        every=every,
        language=notice.language,
        timezone=agent.wants.timezone,
        sender=notice.sender,
    )
    domain = mail.message_id.rpartition("@")[2]
    return Mail(
        about=f"digest:{agent.id}:{int(due.timestamp())}",
        template="digest",
        recipient=mail.recipient,
        message_id=f"<digest.{stamp}@{domain}",
        notice=said,
        agent_id=agent.id,
    )


def bills(event: InvoiceChanged) -> Iterator[Mail]:
    """The mails that an invoice is sent by."""
    if event.mail is None:
        return
    invoice = event.invoice
    for reader in event.mail.to:
        said = Bill(
            invoice_id=invoice.id,
            reference=invoice.reference,
            client=invoice.client.name,
            total=invoice.total,
            due=invoice.due,
            to_name=reader.name,
            language=reader.language,
            token=event.mail.token,
            responsible=event.mail.responsible,
            sender=event.mail.sender,
        )
        about = f"invoice:{invoice.id}"
        yield Mail(about, "invoice", reader.email, event.mail.message_id, said)
