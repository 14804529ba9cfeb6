"""Where a mail belongs: signed tokens in Message-IDs and addresses, and `[TCK-12]` in subjects."""

import base64
import hmac
import re
from dataclasses import dataclass

from deskwire.contracts.mail import MailReceived

SIGNATURE_CHARACTERS = 16  # 80 bits in base32
TOKEN = re.compile(
    rf"(?:^|[<+.])e(\d{{1,18}})-([a-z2-7]{{{SIGNATURE_CHARACTERS}}})@", re.IGNORECASE
)
REFERENCES_KEPT = 10


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks the tokens of entries. A token says where, never who."""

    key: bytes
    mail_domain: str

    def token(self, entry_id: int) -> str:
        return f"e{entry_id}-{self._signature(entry_id)}"

    def message_id(self, entry_id: int) -> str:
        return f"<{self.token(entry_id)}@{self.mail_domain}>"

    def entry_ids(self, *texts: str) -> list[int]:
        """The entries whose tokens stand in Message-IDs or addresses, the last one first."""
        found = [match for text in texts for match in TOKEN.finditer(text)]
        return [int(m[1]) for m in reversed(found) if self._is_ours(int(m[1]), m[2].lower())]

    def _is_ours(self, entry_id: int, signature: str) -> bool:
        return hmac.compare_digest(signature, self._signature(entry_id))

    def _signature(self, entry_id: int) -> str:
        digest = hmac.digest(self.key, b"entry:%d" % entry_id, "sha256")
        return base64.b32encode(digest).decode().lower()[:SIGNATURE_CHARACTERS]


def answered_entries(mail: MailReceived, signer: Signer) -> list[int]:
    """Entries that the mail answers by a token of ours: our address first, then its references."""
    addresses = [address.email for address in (*mail.to, *mail.cc)]
    return signer.entry_ids(*addresses) or signer.entry_ids(*mail.references, *mail.in_reply_to)


def foreign_references(mail: MailReceived) -> list[str]:
    """Message-IDs that may be those of mails we took in."""
    return list(dict.fromkeys((*mail.in_reply_to, *mail.references)))[-50:]


def subject_number(subject: str, prefix: str) -> int | None:
    """12 of ``Re: [TCK-12] Printer``; the prefix is data, not a pattern."""
    match = re.search(rf"\[{re.escape(prefix)}(\d{{1,9}})\]", subject, re.IGNORECASE)
    return int(match[1]) if match else None


def references(message_ids: list[str]) -> tuple[str, ...]:
    """The References of an answer: the opening mail and the latest ones."""
    unique = list(dict.fromkeys(message_ids))
    if len(unique) <= REFERENCES_KEPT:
        return tuple(unique)
    return (unique[0], *unique[-(REFERENCES_KEPT - 1) :])
