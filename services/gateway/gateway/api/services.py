"""What the endpoints work with."""

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


class Services:
    """``lists`` are other connections to the database, for lists of tickets and for reports alone:
    a slow one keeps no connection from what is fast."""

    def __init__(
        self, settings: Settings, database: Database, lists: Database, broker: Broker, blobs: Blobs
    ) -> None:
        self.settings = settings
        self.database = database
        self.lists = lists
        self.broker = broker
        self.blobs = blobs
        self.keys = KeyRing(database)
        self.tickets = TicketLoader(database)
        self.feed = Feed(database)
        rate = parse(settings.rate_limit)
        self.limiter = rate and Limiter(rate)
        self.wrong_keys = Limiter(WRONG_KEYS)
        self.links = Links.of(settings.link_key)
        self.wrong_links = Limiter(WRONG_LINKS)
        self.link_uses = Limiter(LINK_USES)


def services(request: Request) -> Services:
    found: Services = request.scope["app"].state.services
    return found
