"""What is kept of clients, contacts, domains, agents, assets and locations, and its changes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from deskwire.contracts.money import Money
from deskwire.contracts.records import Kept
from deskwire.errors import Invalid
from ticket_svc.domain.senders import domain_key, email_key

Values = Mapping[str, Any]


def differences(before: Kept, wanted: Values) -> dict[str, Any]:
    """Of the wanted values those that are not so already."""
    archived = before.archived_at is not None
    return {
        name: value
        for name, value in wanted.items()
        if _plain(value) != (archived if name == "archived" else _plain(getattr(before, name)))
    }


def _plain(value: Any) -> Any:
    """Amounts are equal by their number, however many zeros are at their end."""
    return (Decimal(value.amount), value.currency) if isinstance(value, Money) else value


def priced(wanted: Values, before: Values) -> dict[str, Any]:
    """The wanted values of a client with the currency that a new rate brings along.

    Raises `Invalid` for a rate in another currency than the client's.
    """
    rate = wanted.get("rate")
    told = {"currency": rate.currency, **wanted} if rate else dict(wanted)
    after = {**before, **told}
    if after.get("rate") and after["rate"].currency != after["currency"]:
        raise Invalid(f"the rate is in {after['rate'].currency}", field="currency")
    return told


def client_columns(values: Values) -> dict[str, Any]:
    columns = dict(values)
    if columns.get("rate") is not None:
        columns["rate"] = Decimal(columns["rate"].amount)
    return columns


def person_columns(values: Values) -> dict[str, Any]:
    if "email" not in values:
        return dict(values)
    email = values["email"]
    return {**values, "email_key": None if email is None else email_key(email)}


def agent_columns(values: Values) -> dict[str, Any]:
    """An agent's rate has a currency of its own."""
    columns = person_columns(values)
    if "rate" in columns:
        rate = columns["rate"]
        columns["rate"] = rate and Decimal(rate.amount)
        columns["currency"] = rate and rate.currency
    return columns


def contact_columns(values: Values) -> dict[str, Any]:
    """What was said of an address is not said of another one."""
    return ({"undeliverable": None} if "email" in values else {}) | person_columns(values)


def domain_columns(values: Values) -> dict[str, Any]:
    return {**values, "name": domain_key(values["name"])} if "name" in values else dict(values)


def archiving(values: Values, at: datetime) -> dict[str, Any]:
    """As columns: when it was archived, in place of whether it is."""
    columns = dict(values)
    if "archived" in columns:
        columns["archived_at"] = at if columns.pop("archived") else None
    return columns
