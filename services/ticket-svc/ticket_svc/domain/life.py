"""The life of a ticket: what an entry does to its status."""

from deskwire.contracts.people import Author
from deskwire.contracts.tickets import EntryKind, Status

REOPENED_BY_CLIENT: tuple[Status, ...] = ("hold", "auto-close", "closed")
"""A client's answer in one of these opens the ticket again; in the others nothing changes."""


def reopens(kind: EntryKind, *, verified: bool = True) -> bool:
    return kind == "client" and verified


def is_first_response(kind: EntryKind, author: Author) -> bool:
    """The first thing an agent lets the client read."""
    return kind == "public" and author.type == "agent"


def opening_kind(author: Author) -> EntryKind:
    return "client" if author.type == "contact" else "public"
