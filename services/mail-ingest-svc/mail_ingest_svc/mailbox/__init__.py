"""How mail is taken from the world: IMAP folders and maildirs, each in a thread of its own; what is
brought over LMTP, or handed in."""

from mail_ingest_svc.mailbox.lmtp import listening
from mail_ingest_svc.mailbox.sweep import sweeping
from mail_ingest_svc.mailbox.urls import lmtp_places, open_mailboxes
from mail_ingest_svc.mailbox.watch import watching

__all__ = ["listening", "lmtp_places", "open_mailboxes", "sweeping", "watching"]
