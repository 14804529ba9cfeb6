"""Time worked on tickets: whose it is, how long it can be, what can be changed of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from deskwire.contracts.actors import Author
from deskwire.contracts.timekeeping import LONGEST_TIME, TimeEntry
from deskwire.errors import Conflict, Forbidden, Invalid

CLOCK_SKEW = timedelta(minutes=5)
"""So far ahead the clock of whoever tells a time may be."""

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


def agent_of(asked: int | None, by: Author) -> int:
    """Whose time it is: an agent's own, else that of the agent who is named."""
    if by.type == "agent" and by.id is not None:
        if asked not in (None, by.id):
            raise Forbidden("an agent keeps no other agent's time", field="agent_id")
        return by.id
    if asked is None:
        raise Invalid("name the agent: this key is of none", field="agent_id")
    return asked


def check_own(time: TimeEntry, by: Author) -> None:
    """Raises `Forbidden` for an agent who would change another one's time."""
    whose = time.agent and time.agent.id
    if by.type == "agent" and by.id != whose:
        raise Forbidden("an agent changes no other agent's time")


def check_not_invoiced(time: TimeEntry) -> None:
    """Raises `Conflict`: what a client is asked to pay for stays as it was told."""
    if time.invoice_id is not None:
        void = f"POST /invoices/{time.invoice_id}/void"
        raise Conflict(f"this time is on an invoice: make that void first, by {void}")


def check_time(seconds: int | None, started_at: datetime, now: datetime) -> None:
    """Raises `Invalid`. Times may overlap: one who waits for a machine works on the next ticket."""
    if seconds is not None and not 1 <= seconds <= LONGEST_TIME:
        raise Invalid(f"must be 1 to {LONGEST_TIME}", field="seconds")
    if not EARLIEST <= started_at <= now + CLOCK_SKEW:
        raise Invalid("must be in the past, and not before 2000", field="started_at")


def beginning(seconds: int, now: datetime) -> datetime:
    """Of what ends now."""
    return now - timedelta(seconds=min(seconds, LONGEST_TIME))


def differences(time: TimeEntry, wanted: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Of the wanted values those that are not so already. Raises what speaks against them."""
    there = current_values(time)
    changed = {name: value for name, value in wanted.items() if there[name] != value}
    fixed = changed.keys() & {"seconds", "agent_id"}
    if time.seconds is None and fixed:
        raise Conflict("the timer is running: stop it first", field=min(fixed))
    if changed.keys() & {"seconds", "started_at"}:
        after = there | changed
        check_time(after["seconds"], after["started_at"], now)
    return changed


def current_values(time: TimeEntry) -> dict[str, Any]:
    """The values that can be changed, as `TimeChanges` has them."""
    return {
        "agent_id": time.agent and time.agent.id,
        "seconds": time.seconds,
        "started_at": time.started_at,
        "billable": time.billable,
        "note": time.note,
    }


def counted(time: TimeEntry | None) -> int:
    """The seconds that it adds to its ticket's."""
    return 0 if time is None or time.deleted_at is not None else time.seconds or 0


def shown(time: TimeEntry | None) -> Any:
    """As history tells it; None for what is not there, or no longer."""
    if time is None or time.deleted_at is not None:
        return None
    names = {"id", "agent", "seconds", "started_at", "billable", "note"}
    return time.model_dump(mode="json", include=names)
