"""What a way out is: `smtp.py` and `maildir.py` are two, the URL says which."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlsplit

from deskwire.errors import SetupError
from deskwire.oauth import Tokens
from notify_svc.domain.attempts import Result
from notify_svc.rendering.letter import Letter
from notify_svc.store.deliveries import Claimed


class Writes(Protocol):
    def expect(self, claims: Sequence[Claimed]) -> None:
        """Their letters will be asked for, each once, but for those of suppressed addresses."""

    async def letter(self, claimed: Claimed) -> Letter:
        """The same at every attempt. Raises `CannotRender`, or `BlobError` while blobs are away."""


class Line(Protocol):
    """Takes one letter at a time.

    ``handing_over``: who has begun may have it by now. Until then the letter can be given back.
    """

    @property
    def handing_over(self) -> bool: ...

    async def send(self, letter: Letter) -> Result: ...

    async def rest(self) -> None:
        """Nothing is to be sent for now."""


class Server(Protocol):
    def line(self) -> Line: ...


def open_server(
    url: str, *, helo: str, tokens: Tokens | None = None, per_minute: int | None = None
) -> Server:
    """What is behind ``smtp://``, ``smtps://`` or ``maildir:``; ``helo`` is our name, ``tokens``
    are for a server that wants OAuth 2, ``per_minute`` for one that takes only so many mails."""
    scheme = urlsplit(url).scheme
    if scheme == "maildir":
        from notify_svc.sender.maildir import Maildir

        return Maildir(urlsplit(url).path)
    if scheme in ("smtp", "smtps"):
        from notify_svc.sender.smtp import SmtpServer  # only one way out is ever loaded

        return SmtpServer(url, helo=helo, tokens=tokens, per_minute=per_minute)
    raise SetupError("DESKWIRE_SMTP_URL must begin with smtp://, smtps:// or maildir:")
