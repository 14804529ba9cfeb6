"""IDLE (RFC 2177): waiting for a server's word of something new."""

import imaplib
import select
from typing import Any

from mail_ingest_svc.mailbox.imap_session import SILENCE_SECONDS
from mail_ingest_svc.mailbox.port import MailboxAway

IDLE_SECONDS = 9 * 60
"""Renewed before the NAT on the way forgets the connection; RFC 2177 says within 29 minutes."""


def idle(client: Any, seconds: float) -> None:
    """imap_tools' own loses a mail told of right after the "+", and takes a cut for silence."""
    tag = client._command("IDLE")
    told = False
    while client._get_response() is not None:
        if client.tagged_commands[tag]:
            raise MailboxAway("the server refuses IDLE")
        told = True
    if not (told or _line_buffered(client)):
        poll = select.poll()
        poll.register(client.sock, select.POLLIN)
        poll.poll(min(seconds, IDLE_SECONDS) * 1000)
    client.send(b"DONE\r\n")
    client._command_complete("IDLE", tag)


def _line_buffered(client: Any) -> bool:
    """A line that came with the "+" is in a buffer already, where poll does not see it."""
    client.sock.settimeout(0)
    try:
        client._get_line()
    except (OSError, imaplib.IMAP4.abort):  # nothing there; or the end, which DONE will meet
        return False
    finally:
        client.sock.settimeout(SILENCE_SECONDS)
    return True
