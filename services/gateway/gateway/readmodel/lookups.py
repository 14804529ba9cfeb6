"""What records are looked up by besides their ids: exact values, without regard to case."""

from collections.abc import Iterator

from pydantic import BaseModel

from deskwire.contracts.people import Asset, Client, Contact, Domain

SEPARATOR = "\n"
"""Between the look-ups of a row on their way into the database: none has a line break."""


def lookup(field: str, value: str) -> str:
    """As the column holds it. MySQL compares without regard to case and to blanks at the end."""
    if field == "phone":
        return f"phone:{''.join(digit for digit in value if digit in '0123456789')}"
    return f"{field}:{' '.join(value.casefold().split())}"


def lookups(record: BaseModel) -> str:
    """All of a record, in one text."""
    return SEPARATOR.join(lookup(field, value) for field, value in _values(record) if value)


def _values(record: BaseModel) -> Iterator[tuple[str, str | None]]:
    match record:
        case Client() | Domain():
            yield "name", record.name
        case Contact():
            yield "email", record.email
            yield "phone", record.phone
            yield "phone", record.mobile
        case Asset():
            for field in ("name", "type", "serial", "mac", "uri"):
                yield field, getattr(record, field)
