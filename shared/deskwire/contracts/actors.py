"""How people and things are named where others speak of them, and who did what through what."""

from typing import Literal

from deskwire.contracts.base import Document


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
