"""Reads the JSON in which Amazon SES tells of bounces, complaints and deliveries by mail."""

import json
from dataclasses import dataclass
from typing import Any

from deskwire.contracts.mail import Undelivered
from mail_ingest_svc.parse.kind.causes import HARD, cause_of, status_of

MAX_JSON = 262_144
MAX_RECIPIENTS = 100


@dataclass(frozen=True, slots=True)
class Notice:
    complaint: bool
    undelivered: tuple[Undelivered, ...]
    original_id: str | None


def read_sns(text: str) -> Notice | None:
    told = _object(text)
    if isinstance(told.get("Message"), str):
        told = _object(told["Message"])
    if not isinstance(told.get("notificationType"), str):
        return None
    common = _dict(_dict(told.get("mail")).get("commonHeaders"))
    original = common.get("messageId")
    return Notice(
        told["notificationType"] == "Complaint",
        tuple(_recipients(told)[:MAX_RECIPIENTS]),
        original.strip("<>")[:500] if isinstance(original, str) else None,
    )


def _object(text: str) -> dict[str, Any]:
    """At a line end within a string, as mail adds them, the rest is of no use to us."""
    try:
        found, _ = json.JSONDecoder(strict=False).raw_decode(text[:MAX_JSON])
    except (ValueError, RecursionError):
        return {}
    return _dict(found)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _recipients(told: dict[str, Any]) -> list[Undelivered]:
    if told["notificationType"] == "Delivery":
        delivery = _dict(told.get("delivery"))
        status = status_of(str(delivery.get("smtpResponse", ""))) or "2.0.0"
        return [
            Undelivered(address=str(address)[:320], status=status, cause="delivered")
            for address in _list(delivery.get("recipients"))
        ]
    bounced = _list(_dict(told.get("bounce")).get("bouncedRecipients"))
    return [_bounced(_dict(each)) for each in bounced]


def _bounced(told: dict[str, Any]) -> Undelivered:
    diagnostic, action = str(told.get("diagnosticCode", "")), str(told.get("action", ""))
    status = status_of(diagnostic) or str(told.get("status", ""))[:20]
    cause = cause_of(diagnostic, status, action)
    hard = cause in HARD and status.startswith("5")
    address = str(told.get("emailAddress", ""))[:320]
    return Undelivered(address=address, status=status, cause=cause, hard=hard)
