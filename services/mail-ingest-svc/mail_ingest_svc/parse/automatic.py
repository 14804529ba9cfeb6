"""Tells that no person wrote a mail, so that nothing automatic ever answers it (RFC 3834)."""

import re

from mail_ingest_svc.parse.headers import Headers

_RULES = tuple(
    (name, re.compile(pattern, re.IGNORECASE | re.ASCII))
    for name, pattern in (
        ("Auto-Submitted", rb"(?!no\b)\S"),
        ("X-Auto-Response-Suppress", rb"(?:.*[\s,;])?(?:all|oof|autoreply)\b"),
        ("Precedence", rb"(?:bulk|list|junk|auto[_-]reply)\b"),
        ("Return-Path", rb"<\s*>"),
        ("Content-Type", rb"multipart/report\b"),
        ("List-Id", rb"\S"),
        ("List-Unsubscribe", rb"\S"),
        ("List-Post", rb"(?!no\b)\S"),
        ("X-Autoreply", rb"(?!no\b)\S"),
        ("X-Autorespond", rb"(?!no\b)\S"),
        ("X-Loop", rb"\S"),
    )
)
_ROBOT = re.compile(
    r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply|bounces?)(?:[+=-][^@]*)?@", re.IGNORECASE
)


def automatic_header(headers: Headers, sender: str | None) -> str | None:
    """The name of the header that says so."""
    for name, rule in _RULES:
        if any(rule.match(value[:1000]) for value in headers.all(name.lower())):
            return name
    return "From" if sender and _ROBOT.match(sender) else None
