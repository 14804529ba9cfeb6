"""Errors with a stable code; the docstring is the default message, the gateway knows its status."""

from typing import ClassVar


class DeskwireError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.field = field


class Rejected(DeskwireError):
    """The command was refused."""

    code = "rejected"


class NotFound(Rejected):
    """There is no such thing."""

    code = "not_found"


class Invalid(Rejected):
    """A value is not acceptable."""

    code = "invalid"


class Conflict(Rejected):
    """It is there already."""

    code = "conflict"


class StaleVersion(Rejected):
    """It has changed since it was read."""

    code = "stale_version"


class Forbidden(Rejected):
    """This key may not do that."""

    code = "forbidden"


class KeyReused(Rejected):
    """The idempotency key was used for another request."""

    code = "key_reused"


class UnknownMessage(Rejected):
    """The message's name or version is not known here."""

    code = "unknown_message"


class Unreadable(Rejected):
    """The message's body is not what its name promises."""

    code = "unreadable"


class Unavailable(DeskwireError):
    """The broker cannot be reached, or no answer came in time."""

    code = "unavailable"


class Unroutable(DeskwireError):
    """No queue takes this message. Was `deskwire topology apply` run?"""

    code = "unroutable"


class SetupError(DeskwireError):
    """The installation is not usable; the message says what to do."""

    code = "setup"


def check_version(there: int, if_version: int | None) -> None:
    """Raises `StaleVersion` for another one than was seen; whoever names none wants none."""
    if if_version not in (None, there):
        raise StaleVersion


_REJECTIONS = (
    NotFound,
    Invalid,
    Conflict,
    StaleVersion,
    Forbidden,
    KeyReused,
    UnknownMessage,
    Unreadable,
)
REJECTIONS: dict[str, type[Rejected]] = {error.code: error for error in _REJECTIONS}
"""Code -> class, to raise at the caller what was rejected at the owner."""
