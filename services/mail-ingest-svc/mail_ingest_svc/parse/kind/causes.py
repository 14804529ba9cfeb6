"""Why a server did not take a mail: from its words, its status (RFC 3463), or what it did.

The names of the causes, and the status ``5.0.9nn`` where no server gave one, are those of Sisimai,
so that what is counted here can be compared.
"""

import re

from mail_ingest_svc.parse.kind.phrases import PHRASES
from mail_ingest_svc.parse.kind.statuses import DERIVED, OF_STATUS

MAX_DIAGNOSTIC = 4000

HARD = frozenset({"userunknown", "hostunknown", "hasmoved", "notaccept"})
"""The address itself is wrong: nothing is to be sent to it again."""

_RULES = tuple((cause, re.compile("|".join(phrases))) for cause, *phrases in PHRASES)

_DELIVERED = frozenset({"delivered", "deliverable", "relayed", "expanded"})
# The whole mail was refused, or its sender was: that says nothing of the recipient.
_AFTER_DATA = re.compile(
    r"(?:in reply to end of|after end of|smtp command) data|\(data\)|\[body\]"
    r"|>>> data(?: \(eod\))? <<< (?!503)\d"
)
_AT_SENDER = re.compile(r"in reply to mail from|>>> mail from|after mail from|\[mail_from\]")

_STATUS = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.\-/:])([245]\d\d)(?:(?=[ \-:#,])|$)")


def cause_of(said: str, status: str, action: str, context: str = "") -> str:
    """``context``: what else the report says of the attempt, as the command that was refused."""
    if action in _DELIVERED or status.startswith("2."):
        return "delivered"
    words = _plain(said)
    code = _CODE.search(words)
    cause = (code and _first(words[code.start() :])) or _first(words)
    if cause in {"userunknown", "hostunknown", None}:
        cause = _unless_about_the_mail(cause, status, f"{words} {_plain(context)}")
    if cause == "hostunknown" and code and code[1][0] == "4":
        return "expired"
    if cause is None and action == "delayed" and status.endswith(".0"):
        return "expired"
    return cause or OF_STATUS.get(status[2:]) or "undefined"


def _first(words: str) -> str | None:
    return next((cause for cause, rule in _RULES if rule.search(words)), None)


def _unless_about_the_mail(cause: str | None, status: str, words: str) -> str | None:
    if _AT_SENDER.search(words):
        return "rejected"
    if cause == "userunknown" and status != "5.1.1" and _AFTER_DATA.search(words):
        return "filtered"
    return cause


def status_of(diagnostic: str) -> str:
    """The last status that says something, for servers repeat what other servers told them."""
    found: list[str] = _STATUS.findall(diagnostic[:MAX_DIAGNOSTIC])
    telling = [status for status in found if not status.endswith(".0")]
    return (telling or found or [""])[-1]


def code_of(diagnostic: str) -> str:
    """The SMTP reply code (RFC 5321 section 4.2), or nothing."""
    found: list[str] = _CODE.findall(diagnostic[:MAX_DIAGNOSTIC])
    return found[-1] if found else ""


def derived_status(cause: str, code: str, action: str) -> str:
    """What stands for the status that no server gave."""
    kind = "4" if code.startswith("4") or action == "delayed" else "5"
    return f"{kind}.0.{DERIVED.get(cause, 900)}"


def _plain(text: str) -> str:
    return " ".join(text[:MAX_DIAGNOSTIC].lower().split())
