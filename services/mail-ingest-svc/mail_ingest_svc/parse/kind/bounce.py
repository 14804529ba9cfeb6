"""Who did not get a mail, and why: from the report for machines, else from the words."""

import re
from collections.abc import Iterable, Sequence

from deskwire.contracts.mail import Address, Undelivered
from mail_ingest_svc.parse.charsets import decode
from mail_ingest_svc.parse.headers import MAX_PART_BLOCK, Headers, read_headers
from mail_ingest_svc.parse.identity import read_message_id
from mail_ingest_svc.parse.kind.causes import (
    HARD,
    cause_of,
    code_of,
    derived_status,
    status_of,
)
from mail_ingest_svc.parse.kind.failures import before_the_returned_mail, failures_in_text
from mail_ingest_svc.parse.kind.reports import (
    MAX_REPORT,
    Report,
    read_reports,
    reports_in_text,
)
from mail_ingest_svc.parse.tree import Part

_RETURNED_ID = re.compile(r"^[ \t>]*message-id:\s*<([^<>\s]{1,500})>", re.IGNORECASE | re.MULTILINE)
_REPORTS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


def undelivered(
    headers: Headers, parts: Sequence[Part], to: Sequence[Address], text: str
) -> tuple[Undelivered, ...]:
    words = before_the_returned_mail(text)
    reports = [report for part in _of_type(parts, _REPORTS) for report in _read(part)]
    if not reports:
        reports = reports_in_text(words)
    if not reports:
        known = headers.text("x-failed-recipients").replace(",", " ").split()
        reports = failures_in_text(words, known, [address.email for address in to])
    once = {report.address.lower(): report for report in reversed(reports)}
    return tuple(_judged(report, words) for report in reversed(once.values()))


def returned_id(parts: Sequence[Part], text: str) -> str | None:
    """The Message-ID of the mail that the report is of, without its brackets."""
    for part in _of_type(parts, _RETURNED):
        content = part.content
        headers, _ = read_headers(content, 0, len(content), MAX_PART_BLOCK)
        if found := read_message_id(headers.get("message-id")):
            return found
    named = _RETURNED_ID.search(text, 0, MAX_REPORT)
    return named[1] if named else None


def _of_type(parts: Sequence[Part], types: tuple[str, ...]) -> Iterable[Part]:
    return (part for part in parts if part.type in types)


def _read(part: Part) -> list[Report]:
    return read_reports(decode(part.content[:MAX_REPORT]))


def _judged(report: Report, words: str) -> Undelivered:
    said = report.diagnostic or words
    status = status_of(report.diagnostic)
    if not status and report.status[2:] in {"", "0.0"}:
        status = status_of(words)
    status = status or report.status
    cause = cause_of(said, status, report.action, words)
    if not status and cause != "delivered":
        status = derived_status(cause, code_of(said), report.action)
    hard = cause in HARD and status.startswith("5")
    return Undelivered(address=report.address, status=status, cause=cause, hard=hard)
