"""Whom and what tickets are about: clients, contacts, domains, agents, assets, locations."""

from typing import Literal

from deskwire.contracts.base import Changes, Command, Document, Event
from deskwire.contracts.money import Money
from deskwire.contracts.records import (
    Agent,
    Asset,
    AssetDetails,
    Client,
    ClientDetails,
    Contact,
    ContactDetails,
    Domain,
    Location,
    LocationDetails,
)

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
