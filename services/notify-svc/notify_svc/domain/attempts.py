"""What an attempt to send a mail means, and what follows from it."""

import re
from dataclasses import dataclass

from deskwire.contracts.notifications import DeliveryState

_NO_SUCH_ADDRESS = re.compile(r"(?<![\d.])5\.1\.(?:1|2|3|6|10)(?![\d.])")
"""Of RFC 3463 and RFC 7505: no mailbox, no domain, no address, moved, takes no mail."""


def never_arrives(answer: str) -> bool:
    """Whether a server says that nothing will ever reach the address."""
    return _NO_SUCH_ADDRESS.search(answer) is not None


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has taken the mail and answers for it (RFC 5321 section 6.1)."""

    answer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server said no: 4xx for now, 5xx for ever."""

    code: int
    answer: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """It was not taken now; that says nothing of others, and may be otherwise later."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsendable:
    """No server could take it: the address is none, or the mail cannot be written."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The server was not reached, or was lost before the mail was handed over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The whole mail was handed over, the answer was lost (RFC 1047)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotTried:
    """The service stops before its turn."""


Result = Sent | Refused | Deferred | Unsendable | Unreachable | Ambiguous | NotTried

DEFERRED = ((0, 60), (60, 300), (360, 900), (1260, 3600), (4860, 14_400))
"""(Age, pause) in seconds: after 1 min, 5 min, 15 min, 1 h, then every 4 h."""

UNREACHABLE = ((0, 5), (10, 15), (60, 60), (600, 300))
"""The server's trouble is not the mail's: when it is back, all are sent within minutes."""

GIVE_UP_SECONDS = 3 * 86_400
REPEATS = 3
"""So often is a mail repeated that the server may have taken; each can be a duplicate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that follows; ``retry_seconds`` None: there is no further attempt."""

    state: DeliveryState
    answer: str | None
    retry_seconds: float | None = None
    tried: bool = True


def judge(result: Result, *, age: float, ambiguous: int, uncertain_retry: float) -> Verdict:
    """``age`` in seconds since it was queued; ``ambiguous``: how many attempts were, before."""
    match result:
        case Sent(answer) | Unsendable(answer):
            return Verdict("sent" if isinstance(result, Sent) else "failed", answer)
        case Refused(code, answer):
            return _refused(f"{code} {answer}", code, age)
        case Deferred(reason):
            return _later(reason, age, DEFERRED)
        case Unreachable(reason):
            return _later(reason, age, UNREACHABLE)
        case Ambiguous(reason):
            return Verdict("uncertain", reason, uncertain_retry if ambiguous < REPEATS else None)
        case NotTried():
            return Verdict("queued", None, 0, tried=False)


def _refused(answer: str, code: int, age: float) -> Verdict:
    return Verdict("failed", answer) if code >= 500 else _later(answer, age, DEFERRED)


def _later(answer: str, age: float, pauses: tuple[tuple[int, int], ...]) -> Verdict:
    if age >= GIVE_UP_SECONDS:
        return Verdict("failed", f"given up after {GIVE_UP_SECONDS // 86_400} days: {answer}")
    return Verdict("queued", answer, max(pause for since, pause in pauses if age >= since))
