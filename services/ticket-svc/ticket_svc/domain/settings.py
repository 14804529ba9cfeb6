"""What settings can be, and what is in force: the default, the instance's, the client's."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from deskwire.contracts.money import Money
from deskwire.contracts.settings import (
    AutoClose,
    BusinessHours,
    MailboxSettings,
    PolicyChanges,
    SettingChanges,
    Settings,
)
from deskwire.errors import Invalid
from deskwire.timezones import time_zones
from ticket_svc.domain.invoicing import is_decimal
from ticket_svc.domain.senders import domain_key

_INTERVAL = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9])-((?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")


def changed(before: Settings, changes: SettingChanges) -> Settings:
    """Raises `Invalid`. What is None is the default again."""
    wanted = _acceptable(changes.values)
    defaults = {name: Settings.model_fields[name].default for name in wanted}
    given = {name: value for name, value in wanted.items() if value is not None}
    return before.model_copy(update=defaults | given)


def overridden(before: PolicyChanges, changes: PolicyChanges) -> PolicyChanges:
    """Raises `Invalid`. What is None is no longer otherwise."""
    values = before.values | _acceptable(changes.values)
    return PolicyChanges(**{name: value for name, value in values.items() if value is not None})


def business_hours(hours: BusinessHours) -> BusinessHours:
    """Each day's intervals in their order."""
    days = {day: _intervals(day, getattr(hours, day)) for day in BusinessHours.model_fields}
    if not any(days.values()):
        raise Invalid("there must be an hour of work in the week", field="business_hours")
    return BusinessHours(**days)


def _intervals(day: str, intervals: Sequence[str]) -> tuple[str, ...]:
    found = sorted(intervals)
    field = f"business_hours.{day}"
    end_before = ""
    for interval in found:
        times = _INTERVAL.fullmatch(interval)
        if times is None or times[1] >= times[2]:
            raise Invalid(f"{interval} is no interval such as 09:00-17:00", field=field)
        if times[1] < end_before:
            raise Invalid(f"{interval} begins before {end_before}", field=field)
        end_before = times[2]
    return tuple(found)


def _auto_close(value: AutoClose) -> AutoClose:
    if value.chaser_hours >= value.close_hours:
        raise Invalid("the reminder must be before the end", field="auto_close.chaser_hours")
    return value


def _from_address(value: str, field: str = "from_address") -> str:
    """With the domain in its A-label form (RFC 5891)."""
    local, _, domain = value.rpartition("@")
    address = f"{local}@{domain_key(domain)}"
    if not address.isascii():
        raise Invalid("must have only ASCII characters before the @", field=field)
    return address


def _tax_rate(value: str) -> str:
    if not is_decimal(value, digits=3) or Decimal(value) > 100:
        raise Invalid("must be 0 to 100 with three digits at most", field="tax_rate")
    return value


def _default_rate(value: Money) -> Money:
    if not is_decimal(value.amount, digits=2):
        raise Invalid("must be a number from 0 with two digits at most", field="default_rate")
    return value


def _languages(value: tuple[str, ...]) -> tuple[str, ...]:
    if len({tag.lower() for tag in value}) < len(value):
        raise Invalid("names a language twice", field="languages")
    return value


def _holidays(value: tuple[date, ...]) -> tuple[date, ...]:
    return tuple(sorted(set(value)))


def _mailboxes(value: tuple[MailboxSettings, ...]) -> tuple[MailboxSettings, ...]:
    if len({mailbox.name for mailbox in value}) < len(value):
        raise Invalid("names a mailbox twice", field="mailboxes")
    return tuple(_mailbox(mailbox) for mailbox in value)


def _mailbox(value: MailboxSettings) -> MailboxSettings:
    if value.address is None:
        return value
    address = _from_address(value.address, "mailboxes.address")
    return value.model_copy(update={"address": address})


def _timezone(value: str) -> str:
    if value not in time_zones():
        raise Invalid("there is no such IANA time zone", field="timezone")
    return value


OF_CLOCKS = frozenset({"targets", "business_hours", "holidays", "timezone", "auto_close"})
"""What it follows from what tickets wait for."""

RULES: Mapping[str, Callable[[Any], Any]] = {
    "auto_close": _auto_close,
    "business_hours": business_hours,
    "default_rate": _default_rate,
    "from_address": _from_address,
    "holidays": _holidays,
    "languages": _languages,
    "mailboxes": _mailboxes,
    "tax_rate": _tax_rate,
    "timezone": _timezone,
}
"""Beyond types and sizes, which the gateway looks at."""


def _acceptable(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value if value is None or name not in RULES else RULES[name](value)
        for name, value in values.items()
    }
