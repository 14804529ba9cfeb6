"""Where a mail belongs: signed tokens in Message-IDs and addresses, and `[TCK-12]` in subjects."""

import base64
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from deskwire.contracts.mail import MailReceived
from deskwire.contracts.terms import Status
from deskwire.contracts.threads import MailSender, MailThread

SIGNATURE_CHARACTERS = 16  # 80 bits in base32
Kind = Literal["entry", "invoice"]
"""What a mail of ours is about; a token begins with the letter of it."""

TOKENS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(
        rf"(?:^|[<+.]){kind[0]}(\d{{1,18}})-([a-z2-7]{{{SIGNATURE_CHARACTERS}}})@", re.IGNORECASE
    )
    for kind in get_args(Kind)
}
REFERENCES_KEPT = 10
REFERENCES_READ = 50
_BRACKETS = re.compile(r"\[([^\[\]]{0,40}?)(\d{1,9})\]")


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks the tokens of entries, or of what else ``kind`` says. A token says where,
    never who.

    The first of the keys signs; what the others have signed before is known by them.
    """

    keys: tuple[bytes, ...]
    mail_domain: str
    kind: Kind = "entry"

    @property
    def of_invoices(self) -> "Signer":
        return replace(self, kind="invoice")

    def token(self, id: int) -> str:
        return self._token(self.keys[0], id)

    def message_id(self, id: int) -> str:
        return f"<{self.token(id)}@{self.mail_domain}>"

    def message_ids(self, id: int) -> list[str]:
        """All that the mail about it may have, since nobody keeps which key was the first then: by
        the oldest key, and so on."""
        tokens = (self._token(key, id) for key in reversed(self.keys))
        return [f"<{token}@{self.mail_domain}>" for token in tokens]

    def ids(self, *texts: str) -> list[int]:
        """Those whose tokens stand in Message-IDs or addresses, the last one first."""
        found = [match for text in texts for match in TOKENS[self.kind].finditer(text)]
        return [int(m[1]) for m in reversed(found) if self._is_ours(int(m[1]), m[2].lower())]

    def _is_ours(self, id: int, signature: str) -> bool:
        expected = (_signature(key, self.kind, id) for key in self.keys)
        return any(hmac.compare_digest(signature, each) for each in expected)

    def _token(self, key: bytes, id: int) -> str:
        return f"{self.kind[0]}{id}-{_signature(key, self.kind, id)}"


@lru_cache(maxsize=1000)  # a mail says each of its own twice, and those that it answers come again
def _signature(key: bytes, kind: Kind, id: int) -> str:
    digest = hmac.digest(key, f"{kind}:{id}".encode(), "sha256")
    return base64.b32encode(digest).decode().lower()[:SIGNATURE_CHARACTERS]


def answered_ids(mail: MailReceived, signer: Signer) -> list[int]:
    """What the mail answers by a token of ours: our address first, then its references."""
    addresses = [address.email for address in (*mail.to, *mail.cc)]
    return signer.ids(*addresses) or signer.ids(*mail.references, *mail.in_reply_to)


def returned_ids(mail: MailReceived, signer: Signer) -> list[int]:
    """What the mail is about that a bounce sends back."""
    return signer.ids(mail.bounced_id or "") or answered_ids(mail, signer)


def foreign_references(mail: MailReceived) -> list[str]:
    """Message-IDs that may be those of mails we took in."""
    return list(dict.fromkeys((*mail.in_reply_to, *mail.references)))[-REFERENCES_READ:]


def subject_references(subject: str) -> list[tuple[str, int]]:
    """``("TCK-", 12)`` of ``Re: [TCK-12] Printer``, and what else it may mean: where a prefix ends
    and the number begins is only known for a ticket that there is."""
    found = []
    for match in _BRACKETS.finditer(subject):
        prefix, digits = match[1], match[2]
        cuts = range(len(digits))
        found += [(prefix + digits[:cut], int(digits[cut:])) for cut in cuts if digits[cut] != "0"]
    return found[:REFERENCES_READ]


def references(message_ids: list[str]) -> tuple[str, ...]:
    """The References of an answer: the opening mail and the latest ones."""
    unique = list(dict.fromkeys(message_ids))
    if len(unique) <= REFERENCES_KEPT:
        return tuple(unique)
    return (unique[0], *unique[-(REFERENCES_KEPT - 1) :])


@dataclass(frozen=True, slots=True)
class Correspondence:
    """Who mails of a ticket come from, in which languages they are, what clock they go by,
    whether they ask for feedback, and of which statuses they tell."""

    sender: MailSender
    language: str = "en"
    team_language: str = "en"
    timezone: str = "UTC"
    feedback: bool = False
    statuses: tuple[Status, ...] = ()
    contact_hears: bool = True


def written_in(wanted: str | None, languages: Sequence[str]) -> str:
    """The one that is read, among those that mails are written in; else the first of these.

    ``de-CH`` is served by ``de``.
    """
    known = {language.casefold(): language for language in languages}
    tag = (wanted or "").casefold()
    return known.get(tag) or known.get(tag.partition("-")[0]) or languages[0]


def thread(
    signer: Signer, entry_id: int, answered: Sequence[str], how: Correspondence
) -> MailThread:
    """``answered``: of earlier entries, oldest first, the mail's Message-ID (or nothing), a space
    and the entry's id."""
    earlier = [message_id for row in answered for message_id in _message_ids(signer, row)]
    return MailThread(
        token=signer.token(entry_id),
        message_id=signer.message_id(entry_id),
        in_reply_to=earlier[-1] if earlier else None,
        references=references(earlier),
        sender=how.sender,
        language=how.language,
        team_language=how.team_language,
        timezone=how.timezone,
        feedback=how.feedback,
        statuses=how.statuses,
        contact_hears=how.contact_hears,
    )


def _message_ids(signer: Signer, row: str) -> list[str]:
    """That of the mail which brought the entry, or our own."""
    message_id, entry_id = row.rsplit(" ", 1)
    return [message_id] if message_id else signer.message_ids(int(entry_id))
