"""Reads what servers report in a form for machines (RFC 3464), also where it stands in the text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from mail_ingest_svc.parse.words import one_line

MAX_REPORT = 262_144
MAX_RECIPIENTS = 100

_FIELD = re.compile(r"([A-Za-z][A-Za-z \-]{1,40}?)[ \t]*:[ \t]*([^\n]*(?:\n[ \t]+[^\n]*)*)")
_ADDRESS_TYPE = re.compile(r"^[\w-]{1,20}\s*;\s*")
_FOUND_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_BLANK = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Report:
    """One recipient's fields, each empty where it was not said; ``action`` in lower case."""

    address: str
    action: str
    status: str
    diagnostic: str


def read_reports(text: str) -> list[Report]:
    """Those of ``message/delivery-status``, a block a recipient."""
    blocks = _BLANK.split(text[:MAX_REPORT].replace("\r\n", "\n"))
    reports = (report for block in blocks if (report := _report(_fields(block))))
    return list(islice(reports, MAX_RECIPIENTS))


def reports_in_text(text: str) -> list[Report]:
    """As `read_reports`, of a mail that has the fields among its words, however indented."""
    blocks: list[dict[str, str]] = []
    field = ""
    for line in text[:MAX_REPORT].split("\n"):
        found = _FIELD.match(line.strip())
        if found and found[1].lower() in _KNOWN:
            field = _KNOWN[found[1].lower()]
            if not blocks or field in blocks[-1]:
                blocks.append({})
            blocks[-1][field] = one_line(found[2])
        elif found or not line.strip():
            field = ""
        elif field:
            blocks[-1][field] += " " + one_line(line)
    reports = (report for block in blocks if (report := _report(block)))
    return list(islice(reports, MAX_RECIPIENTS))


_KNOWN = {
    "final-recipient": "final-recipient",
    "recipient address": "final-recipient",
    "action": "action",
    "status": "status",
    "diagnostic-code": "diagnostic-code",
    "diagnostic code": "diagnostic-code",
}


def _fields(block: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in _pairs(block):
        fields.setdefault(name, value)
    return fields


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in re.split(r"\n(?![ \t])", block):
        if field := _FIELD.match(line.strip()):
            yield field[1].lower(), one_line(field[2])


def _report(fields: dict[str, str]) -> Report | None:
    recipient = fields.get("original-recipient") or fields.get("final-recipient", "")
    address = _ADDRESS_TYPE.sub("", recipient).strip("<> ")
    if "@" not in address:
        address = _ADDRESS_TYPE.sub("", fields.get("final-recipient", "")).strip("<> ")
    status = _FOUND_STATUS.match(fields.get("status", ""))
    if not address or not (status or {"action", "diagnostic-code"} & fields.keys()):
        return None
    return Report(
        address=address[:320],
        action=fields.get("action", "").lower().split(" ")[0],
        status=status[0] if status else "",
        diagnostic=fields.get("diagnostic-code", ""),
    )
