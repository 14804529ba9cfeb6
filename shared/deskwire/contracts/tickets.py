"""What ticket-svc owns: its documents, the commands it takes, the events it gives."""

from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Command, Document, Event
from deskwire.contracts.mail import Body

Status = Literal["open", "working", "hold", "auto-close", "closed"]
Priority = Literal["low", "medium", "high"]
EntryKind = Literal["public", "internal", "client"]
Source = Literal["api", "email", "agent", "schedule", "portal"]
Via = Literal["api", "email", "schedule"]


class Named(Document):
    id: int
    name: str


class Person(Named):
    email: str | None = None


class Author(Document):
    """Who wrote or did it. ``id`` is None for the system and for unknown senders."""

    type: Literal["agent", "contact", "system", "unknown"]
    id: int | None = None
    name: str = ""
    email: str | None = None


class Client(Document):
    id: int
    name: str
    notifications: bool = True
    language: str = "en"
    created_at: datetime
    archived_at: datetime | None = None
    version: int = 1


class Contact(Document):
    id: int
    client_id: int
    name: str
    email: str | None = None
    primary: bool = False
    created_at: datetime
    archived_at: datetime | None = None
    version: int = 1


class Domain(Document):
    """A mail domain whose senders belong to a client."""

    id: int
    client_id: int
    name: str
    created_at: datetime
    version: int = 1


class Agent(Document):
    id: int
    name: str
    email: str
    created_at: datetime
    archived_at: datetime | None = None
    version: int = 1


class Settings(Document):
    """The instance's settings. ``new_ticket_addresses``: the team list told of every new ticket."""

    ticket_prefix: str
    client_notifications: bool
    new_ticket_addresses: tuple[str, ...]
    version: int = 1


class LastReply(Document):
    at: datetime
    kind: EntryKind
    by: str


class StoredFile(Document):
    id: int
    name: str
    size: int
    type: str
    inline: bool = False
    blob_id: str


class Ticket(Document):
    """The whole ticket as the API shows it."""

    id: int
    number: int
    prefix: str
    reference: str
    subject: str
    body: Body
    status: Status
    priority: Priority
    category: str | None = None
    source: Source
    client: Named | None = None
    contact: Person | None = None
    assigned_to: Person | None = None
    assets: tuple[Named, ...] = ()
    watchers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    billable: bool = False
    due_at: datetime | None = None
    time_worked: int = 0
    merged_into: int | None = None
    merged_from: tuple[int, ...] = ()
    invoice_ids: tuple[int, ...] = ()
    entry_count: int
    last_reply: LastReply | None = None
    first_response_at: datetime | None = None
    created_at: datetime
    created_by: Author
    updated_at: datetime
    closed_at: datetime | None = None
    closed_by: Author | None = None
    version: int


class Entry(Document):
    """A reply or note on a ticket's timeline; the first one is what the ticket was opened with."""

    id: int
    ticket_id: int
    origin_ticket_id: int
    kind: EntryKind
    opening: bool = False
    author: Author
    body: Body
    attachments: tuple[StoredFile, ...] = ()
    time_worked: int = 0
    via: Via
    message_id: str | None = None
    verified: bool = True
    created_at: datetime
    edited_at: datetime | None = None
    redacted_at: datetime | None = None
    version: int = 1


class TicketEntry(Document):
    """A ticket together with the entry that was just added to it."""

    ticket: Ticket
    entry: Entry


class MailThread(Document):
    """How mails about an entry thread (RFC 5322 section 3.6.4).

    ``message_id`` is for the mails that a client gets; ``token`` is the signed part of it, for
    other Message-IDs and for the Reply-To address.
    """

    token: str
    message_id: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()


# Commands. ``within_client`` is the only client that the caller may touch (None: all of them).


class OpenTicket(Command[TicketEntry], name="ticket.open.v1"):
    subject: str
    body: Body
    client_id: int | None = None
    contact_id: int | None = None
    priority: Priority = "low"
    category: str | None = None
    assigned_to: int | None = None
    watchers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    billable: bool = False
    due_at: datetime | None = None
    source: Source = "api"
    author: Author | None = None
    within_client: int | None = None


class OpenScheduledTicket(Command[TicketEntry], name="ticket.open_scheduled.v1"):
    """From the scheduler: one ticket for one occurrence of a schedule."""

    schedule_id: int
    occurrence: str
    ticket: OpenTicket

    @property
    def aggregate(self) -> str:
        return f"schedule:{self.schedule_id}"


class AddEntry(Command[TicketEntry], name="ticket.add_entry.v1"):
    ticket_id: int
    kind: EntryKind
    body: Body
    author: Author
    status: Status | None = None
    time_worked: int = 0
    cc: tuple[str, ...] = ()
    within_client: int | None = None


class GetTicket(Command[Ticket], name="ticket.get.v1"):
    """The owner's own view of a ticket, for operators who doubt the read model."""

    ticket_id: int


class CreateClient(Command[Client], name="client.create.v1"):
    name: str
    notifications: bool = True
    language: str = "en"


class CreateContact(Command[Contact], name="contact.create.v1"):
    client_id: int
    name: str
    email: str | None = None
    primary: bool = False
    within_client: int | None = None


class CreateDomain(Command[Domain], name="domain.create.v1"):
    client_id: int
    name: str
    within_client: int | None = None


class CreateAgent(Command[Agent], name="agent.create.v1"):
    name: str
    email: str


class UpdateSettings(Command[Settings], name="settings.update.v1"):
    """Changes what is not None. ``if_version`` is the version that the caller saw."""

    if_version: int
    ticket_prefix: str | None = None
    client_notifications: bool | None = None
    new_ticket_addresses: tuple[str, ...] | None = None


# Events. Those of a ticket carry the whole new document: a projector needs nothing else.


class TicketEvent(Event):
    ticket: Ticket

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.ticket.id}"


class TicketOpened(TicketEvent, name="ticket.opened.v1"):
    """Fat enough to write every mail about it: nobody asks back for an address."""

    entry: Entry
    thread: MailThread
    notify_client: bool
    team: tuple[str, ...]


class TicketReplied(TicketEvent, name="ticket.replied.v1"):
    """A public or client entry was added."""

    entry: Entry
    thread: MailThread


class TicketNoted(TicketEvent, name="ticket.noted.v1"):
    """An internal entry was added."""

    entry: Entry


class TicketChanged(TicketEvent, name="ticket.changed.v1"):
    """The document changed without an entry, or is told anew."""


class EntryChanged(Event, name="entry.changed.v1"):
    entry: Entry

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.entry.ticket_id}"


class ClientChanged(Event, name="client.changed.v1"):
    client: Client

    @property
    def aggregate(self) -> str:
        return f"client:{self.client.id}"


class ContactChanged(Event, name="contact.changed.v1"):
    contact: Contact

    @property
    def aggregate(self) -> str:
        return f"contact:{self.contact.id}"


class DomainChanged(Event, name="domain.changed.v1"):
    domain: Domain

    @property
    def aggregate(self) -> str:
        return f"domain:{self.domain.id}"


class AgentChanged(Event, name="agent.changed.v1"):
    agent: Agent

    @property
    def aggregate(self) -> str:
        return f"agent:{self.agent.id}"


class SettingsChanged(Event, name="settings.changed.v1"):
    settings: Settings

    @property
    def aggregate(self) -> str:
        return "settings"
