"""What the endpoints work with."""

from dataclasses import dataclass, field

from fastapi import Request

from deskwire.blobs import Blobs
from deskwire.db import Database
from deskwire.messaging.broker import Broker
from gateway.feed import Feed
from gateway.keys import KeyRing
from gateway.readmodel.reading import TicketLoader
from gateway.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    broker: Broker
    blobs: Blobs
    keys: KeyRing = field(init=False)
    tickets: TicketLoader = field(init=False)
    feed: Feed = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", KeyRing(self.database))
        object.__setattr__(self, "tickets", TicketLoader(self.database))
        object.__setattr__(self, "feed", Feed(self.database))


def services(request: Request) -> Services:
    found: Services = request.scope["app"].state.services
    return found
