"""What was understood of a mail, as JSON for programs outside Deskwire."""

from hashlib import sha256
from typing import Any

from deskwire.contracts.mail import Address, Undelivered
from mail_ingest_svc.parse.model import ParsedAttachment, ParsedMail


def as_json(parsed: ParsedMail) -> dict[str, Any]:
    """Message ids are without brackets, dates in UTC."""
    return {
        "subject": parsed.subject,
        "from": _addresses(parsed.authors),
        "to": _addresses(parsed.to),
        "cc": _addresses(parsed.cc),
        "reply_to": _addresses(parsed.reply_to),
        "date": parsed.date.isoformat() if parsed.date else None,
        "message_id": parsed.message_id,
        "in_reply_to": parsed.in_reply_to,
        "references": parsed.references,
        "text": parsed.text,
        "html": parsed.html,
        **_reply(parsed),
        "attachments": [_attachment(attachment) for attachment in parsed.attachments],
        "class": {
            "kind": parsed.kind,
            "reason": parsed.automatic or "",
            "recipients": [_recipient(each) for each in parsed.undelivered],
        },
        "defects": parsed.defects,
    }


def _reply(parsed: ParsedMail) -> dict[str, str]:
    reply = parsed.reply
    if reply is None:
        return {"visible": parsed.text, "quoted": "", "signature": ""}
    return {"visible": reply.visible, "quoted": reply.quoted, "signature": reply.signature}


def _addresses(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    return [{"name": address.name, "address": address.email} for address in addresses]


def _attachment(part: ParsedAttachment) -> dict[str, Any]:
    return {
        "name": part.name,
        "type": part.type,
        "size": len(part.content),
        "sha256": sha256(part.content).hexdigest(),
        "inline": part.inline,
    }


def _recipient(each: Undelivered) -> dict[str, Any]:
    return {
        "address": each.address,
        "status": each.status,
        "class": each.cause,
        "hard": each.hard,
    }
