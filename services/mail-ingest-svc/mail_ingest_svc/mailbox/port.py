"""What every kind of mailbox can do. Its functions block: they run in the mailbox's own thread."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from deskwire.errors import DeskwireError
from mail_ingest_svc.domain import Listed


class MailboxAway(DeskwireError):
    """The mailbox cannot be reached, refuses us, or has hung up."""

    code = "mailbox_away"


class HungUp(MailboxAway):
    """The server has ended the connection."""

    code = "hung_up"


class LoginRefused(MailboxAway):
    """The server does not take the user's name or password."""

    code = "login_refused"


class NotFetched(DeskwireError):
    """The server does not give out this one mail."""

    code = "not_fetched"


class NotMoved(DeskwireError):
    """The server does not move mails to this folder."""

    code = "not_moved"


Fetched = Mapping[str, bytes | NotFetched]
"""By UID; a mail that has left the folder meanwhile is not in it."""


class Mailbox(Protocol):
    """One folder that mail arrives in. Anything may raise `MailboxAway`: then it is opened anew."""

    name: str
    """For people and for the ledger: no password in it."""

    folder: str
    processed: str
    uidvalidity: int
    settled: bool
    """Whether the last listing kept nothing back because it may still be being written."""

    oauth: str | None
    """The name of the OAuth client whose access tokens it logs in with."""

    def open(self, token: str | None) -> None: ...

    def close(self) -> None:
        """Never raises."""

    def listing(self) -> list[Listed]:
        """What has come since the last listing, oldest first; after `rewind` all that is there."""

    def rewind(self) -> None:
        """Have the next listing be complete."""

    def fetch(self, mails: Sequence[Listed]) -> Fetched:
        """Whole mails, and leave them unseen."""

    def fetch_headers(self, mails: Sequence[Listed]) -> Fetched: ...

    def move(self, mails: Sequence[Listed], folder: str) -> None:
        """To a folder that is created when needed; what is gone already is no error.

        Raises `NotMoved`; then nothing or only a part was moved, and it may be asked again.
        """

    def wait(self, seconds: float) -> None:
        """Until there may be something new."""

    def interrupt(self) -> None:
        """End a `wait`, from another thread; the mailbox is of no use after it."""
