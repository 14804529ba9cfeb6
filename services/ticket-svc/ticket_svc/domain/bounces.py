"""What a bounce says, for the people of a ticket."""

from collections.abc import Sequence

from deskwire.contracts.mail import Undelivered


def failures(told: Sequence[Undelivered]) -> list[Undelivered]:
    """Those that were not delivered, or not yet."""
    return [each for each in told if each.status[:1] in ("4", "5")]


def note(told: Sequence[Undelivered]) -> str:
    if not told:
        return "A mail of this ticket was not delivered; the mail server does not say to whom."
    return "\n".join(_line(each) for each in told)


def why(told: Undelivered) -> str:
    """``5.1.1 userunknown``."""
    return " ".join(filter(None, (told.status, told.cause)))


def _line(told: Undelivered) -> str:
    so_far = "yet " if told.status.startswith("4") else ""
    return f"A mail was not {so_far}delivered to {told.address or 'somebody'}: {why(told)}"
