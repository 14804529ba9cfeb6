"""What records and tickets are looked up by besides their columns: exact values, without regard
to case."""

from collections.abc import Iterator

from pydantic import BaseModel

from deskwire.contracts.notifications import Suppression
from deskwire.contracts.records import Agent, Asset, Client, Contact, Domain, Location
from deskwire.contracts.tickets import Ticket

SEPARATOR = "\n"
"""Between the look-ups of a row on their way into the database: none has a line break."""


LONGEST = 500
"""Characters that count: an index takes no key of more than 2,700 bytes."""


def lookup(field: str, value: str) -> str:
    """As the column holds it. MySQL compares without regard to case and to blanks at the end."""
    if field == "phone":
        return f"phone:{''.join(digit for digit in value if digit in '0123456789')}"
    return f"{field}:{' '.join(value.casefold().split())[:LONGEST]}"


def lookups(record: BaseModel) -> str:
    """All of a document, in one text."""
    return SEPARATOR.join(lookup(field, value) for field, value in _values(record) if value)


def _values(record: BaseModel) -> Iterator[tuple[str, str | None]]:
    match record:
        case Ticket():
            yield "category", record.category
            yield "contact", str(record.contact.id) if record.contact else None
            yield "feedback", record.feedback.rating if record.feedback else None
            yield from (("tag", tag) for tag in record.tags)
            yield from (("asset", str(asset.id)) for asset in record.assets)
        case Client() | Domain() | Location():
            yield "name", record.name
        case Agent():
            yield "name", record.name
            yield "email", record.email
        case Contact():
            yield "name", record.name
            yield "email", record.email
            yield "phone", record.phone
            yield "phone", record.mobile
        case Suppression():
            yield "email", record.email
        case Asset():
            for field in ("name", "type", "serial", "mac", "uri"):
                yield field, getattr(record, field)
