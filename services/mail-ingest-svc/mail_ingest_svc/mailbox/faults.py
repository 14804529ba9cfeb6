"""Whose fault an error is: a mail is given up for its own alone."""

import asyncpg
import structlog

from deskwire.blobs import BlobError, why
from mail_ingest_svc.mailbox.port import MailboxAway

log = structlog.get_logger()

ELSEWHERE = (MailboxAway, BlobError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What the mailbox, the blob store or the database raise when the fault is theirs."""

UNWRITABLE = (ValueError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What the database or its driver raise when the fault is in what is to be written."""


def fault_of_the_mail(error: Exception) -> bool:
    return isinstance(error, UNWRITABLE) or not isinstance(error, ELSEWHERE)


def cause(error: Exception) -> str:
    """For the ledger."""
    told = str(error) or type(error).__name__
    return told.replace("\0", "").encode("utf-8", "replace").decode()[:500]


class Trouble:
    """Told once, under the name ``event``, not at each attempt that meets it."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._told = ""

    def tell(self, error: Exception) -> None:
        words = why(error) if isinstance(error, BlobError) else str(error)
        trouble = words or type(error).__name__
        if trouble == self._told:
            return
        self._told = trouble
        unforeseen = None if isinstance(error, ELSEWHERE) else error
        log.warning(self._event, cause=trouble, exc_info=unforeseen)

    def end(self) -> bool:
        """Returns whether there was any until now."""
        there_was, self._told = bool(self._told), ""
        return there_was
