"""The way in for mails that are imported, piped, or brought over LMTP. Uploads are a command that
the gateway asks for, see `handlers`; both make their rows by `add_mail`.

Once `hand_in` has returned, the mail is in the blobs and in the ledger, and cannot get lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from deskwire.blobs import Blobs, handed_place
from deskwire.contracts.mail import HandInMail
from deskwire.db import Database
from deskwire.messaging.outbox import transaction
from mail_ingest_svc.handlers import add_mail


@dataclass(frozen=True, slots=True)
class Handed:
    """A mail as it came; ``uid`` names it within its ``mailbox``."""

    raw: bytes
    mailbox: str
    uid: str

    @classmethod
    def delivered(cls, raw: bytes, mailbox: str) -> "Handed":
        """Each delivery has a row; that of a mail which came before says so."""
        return cls(raw, mailbox, uuid4().hex)

    @classmethod
    def imported(cls, raw: bytes, mailbox: str) -> "Handed":
        """An import that is run again finds the rows that it made."""
        return cls(raw, mailbox, sha256(raw).hexdigest())


async def hand_in(database: Database, blobs: Blobs, mails: Sequence[Handed]) -> int:
    """All of them or none; returns how many were not there before."""
    raw_ids = await blobs.put_all([(mail.raw, handed_place()) for mail in mails])
    added = 0
    async with transaction(database) as tx:
        for mail, raw_id in zip(mails, raw_ids, strict=True):
            command = HandInMail(
                mailbox=mail.mailbox, uid=mail.uid, raw_id=raw_id, size=len(mail.raw)
            )
            added += await add_mail(command, tx) is not None
    return added
