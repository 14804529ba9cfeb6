"""Puts the readers together; one that fails costs its field, never the mail."""

from dataclasses import replace

from mail_ingest_svc.parse.addresses import read_addresses, read_sender
from mail_ingest_svc.parse.authentication import read_authentication
from mail_ingest_svc.parse.bodies import Body, read_body
from mail_ingest_svc.parse.headers import Headers, headers_alone
from mail_ingest_svc.parse.identity import read_date, read_ids, read_message_id
from mail_ingest_svc.parse.kind import Evidence, classify
from mail_ingest_svc.parse.model import ParsedAttachment, ParsedMail
from mail_ingest_svc.parse.reply import Reply, read_reply
from mail_ingest_svc.parse.tree import take_apart

MAX_SUBJECT = 1000
UNREADABLE = "This mail could not be read; it is attached as it came."

WRITTEN = {"person", "auto-reply", "list"}
"""Kinds of mails in which somebody may have quoted; a bounce and a report are content."""


def parse(raw: bytes, own: frozenset[str] = frozenset(), authserv_id: str = "") -> ParsedMail:
    """Everything of a mail that Deskwire uses, from whatever bytes arrived as one.

    ``own``: the addresses that Deskwire writes from, in lower case; ``authserv_id``: what our mail
    server calls itself where it says what it has found of the sender.
    """
    try:
        return _parsed(raw, own, authserv_id)
    except Exception:  # whatever it is, the mail is shown as it came; the defect makes it findable
        return _unreadable(raw, own, authserv_id)


def _unreadable(raw: bytes, own: frozenset[str], authserv_id: str) -> ParsedMail:
    try:
        known = _parsed(headers_alone(raw), own, authserv_id)
    except Exception:
        known = ParsedMail()
    source = ParsedAttachment("mail.eml", "message/rfc822", raw)
    defects = (*known.defects, "unreadable")
    return replace(
        known, text=UNREADABLE, html=None, reply=None, attachments=(source,), defects=defects
    )


def _parsed(raw: bytes, own: frozenset[str], authserv_id: str) -> ParsedMail:
    tree = take_apart(raw)
    headers = tree.headers
    body = read_body(tree.parts)
    sender, sender_defect = read_sender(headers.all("from"))
    to, subject = read_addresses(headers.joined("to")), headers.text("subject")[:MAX_SUBJECT]
    verdict = classify(Evidence(headers, tree.parts, sender, to, subject, body.text, own))
    defects = [*tree.defects, *body.defects, *_header_defects(headers)]
    if sender_defect:
        defects.append(sender_defect)
    return ParsedMail(
        message_id=read_message_id(headers.get("message-id")),
        sender=sender,
        authors=read_addresses(headers.joined("from")),
        to=to,
        cc=read_addresses(headers.joined("cc")),
        reply_to=read_addresses(headers.joined("reply-to")),
        subject=subject,
        date=read_date(headers.get("date")),
        in_reply_to=read_ids(headers.get("in-reply-to")),
        references=read_ids(headers.get("references")),
        text=body.text,
        html=body.html,
        reply=_reply(body, subject) if verdict.kind in WRITTEN else None,
        attachments=tuple(body.attachments),
        kind=verdict.kind,
        automatic=verdict.reason or None,
        authentication=read_authentication(headers, authserv_id, sender),
        undelivered=verdict.undelivered,
        bounced_id=verdict.original_id,
        defects=tuple(defects),
    )


def _reply(body: Body, subject: str) -> Reply:
    return read_reply(body.text, body.source, subject=subject)


def _header_defects(headers: Headers) -> list[str]:
    if not headers.fields:
        return ["no-headers"]
    return [] if headers.get("date") else ["date-missing"]
