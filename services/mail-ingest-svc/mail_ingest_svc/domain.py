"""The rules of taking a mail in: what makes two mails the same, what of it fits into a message."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from deskwire.contracts.base import Document
from deskwire.contracts.mail import Attachment, Body, InboundState, MailReceived
from mail_ingest_svc.parse.model import ParsedMail

CHUNK_MAILS = 50
CHUNK_BYTES = 10 * 1024 * 1024

RECIPIENTS_BYTES = 10 * 1024
REFERENCES_BYTES = 12 * 1024
ATTACHMENTS_BYTES = 64 * 1024
"""Shares of the 256 KiB of a message, as JSON; a folded body takes up to 128 KiB, being escaped."""

DISCARDED = "discarded"
"""How the reason of a mail begins that somebody has discarded."""

OVERSIZE_FOLDER = "Oversize"
FAILED_FOLDER = "Failed"

Item = TypeVar("Item", bound=Document | str)

_LEADING = re.compile(rb"(?im)^(message-id|date|from|subject):[ \t]*(.*(?:\n[ \t].*)*)")
_NO_ID = (b"", b"<>")


@dataclass(frozen=True, slots=True)
class Listed:
    """A mail in a folder, not yet read. ``uid`` names it within the folder's UIDVALIDITY."""

    uid: str
    size: int


def chunks(listed: Sequence[Listed], limit: int) -> Iterable[list[Listed]]:
    """What is read and committed together; a mail over ``limit`` bytes is only its headers."""
    chunk: list[Listed] = []
    size = 0
    for mail in listed:
        cost = mail.size if mail.size <= limit else 0
        if chunk and (len(chunk) == CHUNK_MAILS or size + cost > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(mail)
        size += cost
    if chunk:
        yield chunk


def content_digest(raw: bytes) -> str:
    """Equal for copies of one mail that took different ways, by what no relay changes.

    A mail without Message-ID or Date is told from others by all its bytes.
    """
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = {name.lower(): value.strip() for name, value in reversed(_LEADING.findall(head))}
    if fields.get(b"message-id", b"") in _NO_ID or not fields.get(b"date"):
        return sha256(raw).hexdigest()
    digest = sha256()
    for name in sorted(fields):
        digest.update(name + b":" + fields[name] + b"\n")
    digest.update(body.rstrip(b"\n"))
    return digest.hexdigest()


def folder_for(state: str, size: int, *, limit: int, processed: str) -> str:
    """Where a mail goes on the server once it is in the ledger."""
    if state == "failed":
        return FAILED_FOLDER
    return OVERSIZE_FOLDER if size > limit else processed


def may_be_decided(state: InboundState) -> bool:
    """Whether a mail in this state may be retried, accepted or discarded."""
    return state in {"ignored", "quarantined", "failed"}


def oversize_notice(size: int, limit: int) -> str:
    return (
        f"The mail of {size:,} bytes was larger than the {limit:,} bytes that are read "
        f"and was left in the folder {OVERSIZE_FOLDER}."
    )


def body_of(parsed: ParsedMail) -> Body:
    """What a person wrote, with what else was in the text beside it."""
    reply = parsed.reply
    if reply is None:
        return Body(text=parsed.text, html=parsed.html)
    return Body(text=reply.visible, html=reply.html, quoted=reply.quoted, signature=reply.signature)


def mail_received(
    mail_id: int,
    mailbox: str,
    parsed: ParsedMail,
    body: Body,
    attachments: Sequence[Attachment],
    *,
    received_at: datetime,
) -> MailReceived:
    """The event, at most 256 KiB: what of a list finds no room is named as a defect."""
    to, to_cut = _within(parsed.to, RECIPIENTS_BYTES)
    cc, cc_cut = _within(parsed.cc, RECIPIENTS_BYTES)
    newest, references_cut = _within(map(_msg_id, reversed(parsed.references)), REFERENCES_BYTES)
    kept, attachments_cut = _within(attachments, ATTACHMENTS_BYTES)
    undelivered, undelivered_cut = _within(parsed.undelivered, RECIPIENTS_BYTES)
    cuts = {
        "recipients-left-out": to_cut or cc_cut,
        "references-left-out": references_cut,
        "attachments-left-out": attachments_cut,
        "undelivered-left-out": undelivered_cut,
    }
    return MailReceived(
        mail_id=mail_id,
        mailbox=mailbox,
        message_id=parsed.message_id and _msg_id(parsed.message_id),
        sender=parsed.sender,
        to=to,
        cc=cc,
        subject=parsed.subject,
        sent_at=parsed.date,
        received_at=received_at,
        in_reply_to=_within(map(_msg_id, parsed.in_reply_to), REFERENCES_BYTES)[0],
        references=newest[::-1],
        body=body,
        attachments=kept,
        kind=parsed.kind,
        automatic=parsed.automatic,
        authentication=parsed.authentication,
        undelivered=undelivered,
        bounced_id=parsed.bounced_id and _msg_id(parsed.bounced_id),
        defects=(*parsed.defects[:20], *(name for name, cut in cuts.items() if cut)),
    )


def _msg_id(found: str) -> str:
    """As RFC 5322 writes it, and as other mails will name it."""
    return f"<{found}>"


def _within(items: Iterable[Item], budget: int) -> tuple[tuple[Item, ...], bool]:
    """The first items that fit into so many bytes of JSON, and whether any was left out."""
    kept: list[Item] = []
    for item in items:
        budget -= len(_json(item)) + 1
        if budget < 0:
            return tuple(kept), True
        kept.append(item)
    return tuple(kept), False


def _json(item: Document | str) -> bytes:
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False).encode()
    return item.model_dump_json().encode()
