"""Signed links in mails: what whoever has one may do, without a key, once they have confirmed it.

notify-svc makes them, the gateway reads them, both with the same secret. A link names its purpose:
one that was made for something else is none.
"""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

from deskwire.settings import keys_of

SIGNATURE_BYTES = 16


class FeedbackLink(NamedTuple):
    """The contact may say how a ticket went."""

    ticket_id: int
    contact_id: int
    language: str


class WatcherLink(NamedTuple):
    """Who has this address may stop watching a ticket; ``reference`` is what it is called."""

    ticket_id: int
    email: str
    reference: str
    language: str


class DigestLink(NamedTuple):
    """The agent may stop getting digests of this kind: ``hourly``, ``daily``, ``weekly``."""

    agent_id: int
    every: str
    language: str


class FileLink(NamedTuple):
    """A file that a mail was too small for can be fetched."""

    file_id: int
    language: str


class InvoiceLink(NamedTuple):
    """An invoice can be fetched as PDF."""

    invoice_id: int
    language: str


AnyLink = FeedbackLink | WatcherLink | DigestLink | FileLink | InvoiceLink
PURPOSES: dict[type, str] = {
    FeedbackLink: "feedback",
    WatcherLink: "unwatch",
    DigestLink: "unsubscribe",
    FileLink: "file",
    InvoiceLink: "invoice",
}

Claim = TypeVar("Claim", bound=AnyLink)


class NoLink(Exception):
    """It was not made here, or for something else."""


class Expired(Exception):
    """It was made here, and its time is over."""


@dataclass(frozen=True, slots=True)
class Links:
    """``base`` is where the gateway is reached: ``https://desk.example.com``. The first of the keys
    signs; what the others have signed before is still known."""

    keys: tuple[bytes, ...]
    base: str = ""

    @classmethod
    def of(cls, keys: str, base: str = "") -> "Links":
        """``keys``: one a line."""
        return cls(keys_of(keys), base.rstrip("/"))

    def url(self, claim: AnyLink, until: datetime) -> str:
        return f"{self.base}/{PURPOSES[type(claim)]}/{self.token(claim, until)}"

    def token(self, claim: AnyLink, until: datetime) -> str:
        said = json.dumps([*claim, int(until.timestamp())], separators=(",", ":")).encode()
        return f"{_text(said)}.{_text(_signature(self.keys[0], type(claim), said))}"

    def read(self, kind: type[Claim], token: str, now: datetime) -> Claim:
        """Raises `NoLink` or `Expired`."""
        said, _, signature = token.partition(".")
        try:
            plain, signed = _bytes(said), _bytes(signature)
        except (binascii.Error, ValueError):
            raise NoLink from None
        expected = (_signature(key, kind, plain) for key in self.keys)
        if not any(hmac.compare_digest(signed, each) for each in expected):
            raise NoLink
        *values, until = json.loads(plain)
        if datetime.fromtimestamp(until, UTC) <= now:
            raise Expired
        return kind(*values)


def _signature(key: bytes, kind: type, said: bytes) -> bytes:
    purpose = PURPOSES[kind].encode()
    return hmac.digest(key, purpose + b":" + said, "sha256")[:SIGNATURE_BYTES]


def _text(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
