"""Clients, contacts, domains, agents, assets and locations as the API shows them."""

from datetime import date, datetime

from deskwire.contracts.actors import Named
from deskwire.contracts.base import Document
from deskwire.contracts.money import Money

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
