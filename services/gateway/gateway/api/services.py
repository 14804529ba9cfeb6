"""What the endpoints work with."""

from dataclasses import dataclass, field

from fastapi import Request

from deskwire.blobs import Blobs
from deskwire.db import Database
from deskwire.links import Links
from deskwire.messaging.broker import Broker
from gateway.feed import Feed
from gateway.keys import KeyRing
from gateway.rates import Limiter, Rate, parse
from gateway.readmodel.reading import TicketLoader
from gateway.settings import Settings

WRONG_KEYS = Rate(30, 60)
"""Of one address."""
WRONG_LINKS = Rate(30, 60)
"""Likewise."""
LINK_USES = Rate(20, 3600)
"""Of one link: who changes their mind more often is a program."""


@dataclass(frozen=True)
class Services:
    """``lists`` are other connections to the database, for lists of tickets and for reports alone:
    a slow one keeps no connection from what is fast."""

    settings: Settings
    database: Database
    lists: Database
    broker: Broker
    blobs: Blobs
    keys: KeyRing = field(init=False)
    tickets: TicketLoader = field(init=False)
    feed: Feed = field(init=False)
    limiter: Limiter | None = field(init=False)
    wrong_keys: Limiter = field(init=False)
    links: Links = field(init=False)
    wrong_links: Limiter = field(init=False)
    link_uses: Limiter = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", KeyRing(self.database))
        object.__setattr__(self, "tickets", TicketLoader(self.database))
        object.__setattr__(self, "feed", Feed(self.database))
        rate = parse(self.settings.rate_limit)
        object.__setattr__(self, "limiter", rate and Limiter(rate))
        object.__setattr__(self, "wrong_keys", Limiter(WRONG_KEYS))
        object.__setattr__(self, "links", Links.of(self.settings.link_key))
        object.__setattr__(self, "wrong_links", Limiter(WRONG_LINKS))
        object.__setattr__(self, "link_uses", Limiter(LINK_USES))


def services(request: Request) -> Services:
    found: Services = request.scope["app"].state.services
    return found
