"""How mail is taken from the world: IMAP folders and maildirs, each in a thread of its own."""

from mail_ingest_svc.mailbox.urls import open_mailboxes
from mail_ingest_svc.mailbox.watch import watching

__all__ = ["open_mailboxes", "watching"]
