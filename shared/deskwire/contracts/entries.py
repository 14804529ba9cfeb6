"""The entries of tickets, and their files."""

from datetime import datetime

from deskwire.contracts.actors import Author
from deskwire.contracts.base import Document
from deskwire.contracts.mail import Body
from deskwire.contracts.terms import EntryKind, Via


class StoredFile(Document):
    """A file of an entry. ``inline``: its HTML shows it; ``content_id``: a mail's HTML did so as
    ``cid:`` and this, which became the URL of the file (`with_pictures`)."""

    id: int
    name: str
    size: int
    type: str
    inline: bool = False
    content_id: str | None = None
    sha256: str | None = None
    blob_id: str


class Entry(Document):
    """A reply or note on a ticket's timeline; the first one is what the ticket was opened with."""

    id: int
    ticket_id: int
    origin_ticket_id: int
    kind: EntryKind
    opening: bool = False
    author: Author
    body: Body
    attachments: tuple[StoredFile, ...] = ()
    time_worked: int = 0
    via: Via
    message_id: str | None = None
    verified: bool = True
    created_at: datetime
    edited_at: datetime | None = None
    redacted_at: datetime | None = None
    redacted_by: Author | None = None
    version: int = 1
