"""Whom and what tickets are about: clients, contacts, domains, agents, assets, locations."""

from datetime import date, datetime
from typing import Literal

from deskwire.contracts.base import Changes, Command, Document, Event


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


class Through(Document):
    """By which way something was done: ``id`` is that of the key, mail, schedule or merge;
    ``link`` is one in a mail."""

    type: Literal["key", "mail", "schedule", "merge", "link", "system"]
    id: int | None = None


class Actor(Document):
    """Who does it, and through what."""

    author: Author
    through: Through


class Money(Document):
    """``amount`` is a decimal number as text; ``currency`` an ISO 4217 code."""

    amount: str
    currency: str


# What can be told of them besides their names. The order of bases is that of the fields, reversed.


class ClientDetails(Document):
    """``rate`` is for an hour, in the client's currency; ``net_terms`` are days."""

    type: str | None = None
    abbreviation: str | None = None
    website: str | None = None
    referral: str | None = None
    lead: bool = False
    rate: Money | None = None
    currency: str = "EUR"
    net_terms: int | None = None
    tax_id: str | None = None
    language: str = "en"
    timezone: str = "UTC"
    notifications: bool = True
    notes: str | None = None


class ContactDetails(Document):
    """``language`` is what mails to them are written in (None: their client's). ``notifications``:
    whether they hear of new, closed and merged tickets and of statuses, as their client does.

    A ticket that names no contact is the ``primary`` one's, and the ``technical`` ones watch it.
    The ``billing`` ones get invoices."""

    email: str | None = None
    title: str | None = None
    department: str | None = None
    phone: str | None = None
    extension: str | None = None
    mobile: str | None = None
    language: str | None = None
    notifications: bool = True
    notes: str | None = None
    primary: bool = False
    important: bool = False
    billing: bool = False
    technical: bool = False
    location_id: int | None = None


class AssetDetails(Document):
    type: str | None = None
    description: str | None = None
    make: str | None = None
    model: str | None = None
    serial: str | None = None
    os: str | None = None
    ip: str | None = None
    mac: str | None = None
    uri: str | None = None
    status: str | None = None
    purchase_date: date | None = None
    warranty_expire: date | None = None
    install_date: date | None = None
    notes: str | None = None
    location_id: int | None = None
    contact_id: int | None = None


class LocationDetails(Document):
    description: str | None = None
    country: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    zip: str | None = None
    phone: str | None = None
    hours: str | None = None
    notes: str | None = None
    primary: bool = False


class OfClient(Named):
    client_id: int


class Kept(Document):
    created_at: datetime
    updated_at: datetime | None = None
    archived_at: datetime | None = None
    version: int = 1


class Client(Kept, ClientDetails, Named):
    pass


class Contact(Kept, ContactDetails, OfClient):
    """``undeliverable``: what a mail server said of the address, if nothing will ever reach it."""

    undeliverable: str | None = None


class Domain(Kept, OfClient):
    """A mail domain whose senders belong to a client."""


class Agent(Kept, Named):
    """``rate`` is for an hour, where the client that it is worked for has none."""

    email: str
    rate: Money | None = None


class Asset(Kept, AssetDetails, OfClient):
    """What a ticket may be about: a machine, a licence, a line."""


class Location(Kept, LocationDetails, OfClient):
    pass


# Commands. ``within_client`` is the only client that the caller may touch (None: all of them).


class New(Document):
    name: str


class NewOfClient(New):
    client_id: int
    within_client: int | None = None


class CreateClient(Command[Client], ClientDetails, New, name="client.create.v1"):
    pass


class CreateContact(Command[Contact], ContactDetails, NewOfClient, name="contact.create.v1"):
    pass


class CreateDomain(Command[Domain], NewOfClient, name="domain.create.v1"):
    pass


class CreateAgent(Command[Agent], New, name="agent.create.v1"):
    email: str
    rate: Money | None = None


class CreateAsset(Command[Asset], AssetDetails, NewOfClient, name="asset.create.v1"):
    pass


class CreateLocation(Command[Location], LocationDetails, NewOfClient, name="location.create.v1"):
    pass


class RecordChanges(Changes):
    """``archived``: it stays where it is named, and nothing new can name it."""

    name: str = ""
    archived: bool = False


class ClientChanges(RecordChanges, ClientDetails):
    """A new rate brings its currency along."""


class ContactChanges(RecordChanges, ContactDetails):
    """``undeliverable`` can only be taken back; a new address takes it back, too."""

    undeliverable: None = None


class DomainChanges(RecordChanges):
    pass


class AgentChanges(RecordChanges):
    email: str = ""
    rate: Money | None = None


class AssetChanges(RecordChanges, AssetDetails):
    pass


class LocationChanges(RecordChanges, LocationDetails):
    pass


class Change(Document):
    """``if_version`` is the version that the caller saw (None: whatever it is now).

    ``refuse_unchanged``: when all of it is so already, that is a conflict.
    """

    id: int
    if_version: int | None = None
    refuse_unchanged: bool = False
    within_client: int | None = None


class ChangeClient(Command[Client], Change, name="client.change.v1"):
    changes: ClientChanges


class ChangeContact(Command[Contact], Change, name="contact.change.v1"):
    changes: ContactChanges


class ChangeDomain(Command[Domain], Change, name="domain.change.v1"):
    changes: DomainChanges


class ChangeAgent(Command[Agent], Change, name="agent.change.v1"):
    changes: AgentChanges


class ChangeAsset(Command[Asset], Change, name="asset.change.v1"):
    changes: AssetChanges


class ChangeLocation(Command[Location], Change, name="location.change.v1"):
    changes: LocationChanges


# Events.


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


class AssetChanged(Event, name="asset.changed.v1"):
    asset: Asset

    @property
    def aggregate(self) -> str:
        return f"asset:{self.asset.id}"


class LocationChanged(Event, name="location.changed.v1"):
    location: Location

    @property
    def aggregate(self) -> str:
        return f"location:{self.location.id}"


class RecordRenamed(Event, name="record.renamed.v1"):
    """To ticket-svc itself: what tickets show is called otherwise, or has another address.

    Their documents are told anew, newest first, a page a message: those before ``before_ticket``.
    """

    kind: Literal["client", "contact", "agent", "asset"]
    id: int
    before_ticket: int | None = None

    @property
    def aggregate(self) -> str:
        return f"{self.kind}:{self.id}"
