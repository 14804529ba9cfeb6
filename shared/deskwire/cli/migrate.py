"""`deskwire migrate`: the databases to the newest schema."""

import asyncio

from deskwire.cli.environment import Services, database_urls
from deskwire.cli.output import say


def migrate(*, service: Services = None) -> None:
    """Bring the databases to the newest schema; safe to run again, and by many at once."""
    from deskwire import db

    for each, url in database_urls(service).items():
        asyncio.run(db.migrate(url, each.package))
        say(each.name, "has the newest schema")
