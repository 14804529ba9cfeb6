"""Whose fault an error is: a mail is given up for its own alone."""

import asyncpg

from deskwire.blobs import BlobError
from mail_ingest_svc.mailbox.port import MailboxAway

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
