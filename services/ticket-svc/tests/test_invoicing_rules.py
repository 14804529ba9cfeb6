"""The rules of invoicing, against the same arithmetic done by hand in whole numbers."""

import json
from collections import Counter
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.actors import Named
from deskwire.contracts.base import MESSAGE_BYTES
from deskwire.contracts.invoices import Buyer, Invoice, InvoiceDrafted
from deskwire.contracts.money import Money
from deskwire.contracts.settings import Settings, TimeRounding
from deskwire.errors import Conflict, Invalid
from ticket_svc.domain import invoicing as rules
from ticket_svc.domain.invoicing import Billing, Line, Terms, Worked
from ticket_svc.store.invoices import invoice

EXACT = TimeRounding()
QUARTERS = TimeRounding(rule="nearest", minutes=15)
UNITS = {"EUR": 100, "JPY": 1, "KWD": 1000, "CLF": 10_000}
"""How many of the smallest unit make one."""

SECONDS = st.integers(1, 366 * 86_400)
RATES = st.decimals(0, Decimal("9999999999999.99"), places=2)
TAXES = st.decimals(0, 100, places=3)
CURRENCIES = st.sampled_from(sorted(UNITS))
ROUNDINGS = st.builds(
    TimeRounding, rule=st.sampled_from(["exact", "up", "nearest"]), minutes=st.integers(1, 480)
)


def half_up(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))


def euros(amount: str | Decimal) -> Money:
    return Money(amount=str(amount), currency="EUR")


def worked(id: int = 1, seconds: int = 3600, ticket: int = 1, **fields: Any) -> Worked:
    values: dict[str, Any] = {
        "subject": "Printer",
        "note": "",
        "agent": Named(id=3, name="Ann"),
        "agent_rate": None,
        "on": date(2026, 3, 2),
    }
    of = Named(id=ticket, name=f"TCK-{ticket}")
    return Worked(time_id=id, seconds=seconds, ticket=of, **values | fields)


def terms(**fields: Any) -> Terms:
    values: dict[str, Any] = {
        "currency": "EUR",
        "tax_rate": Decimal(19),
        "rounding": EXACT,
        "lines": "ticket",
        "client_rate": euros("95.00"),
    }
    return Terms(**values | fields)


def one(seconds: int, **fields: Any) -> Line:
    (line,) = rules.draft_lines([worked(seconds=seconds)], terms(**fields))
    return line


@given(SECONDS, RATES, TAXES, CURRENCIES, ROUNDINGS)
def test_a_line_is_what_it_is_by_hand(
    seconds: int, rate: Decimal, tax: Decimal, currency: str, rounding: TimeRounding
) -> None:
    money = Money(amount=str(rate), currency=currency)
    line = one(seconds, client_rate=money, tax_rate=tax, currency=currency, rounding=rounding)
    unit = 60 * rounding.minutes
    steps = Fraction(seconds, unit)
    billed = {
        "exact": Fraction(seconds),
        "up": Fraction(ceil(steps) * unit),
        "nearest": Fraction(ceil(steps - Fraction(1, 2)) * unit),
    }[rounding.rule]
    quantity = half_up(billed / 3600 * 10_000)
    amount = half_up(Fraction(quantity, 10_000) * Fraction(rate) * UNITS[currency])
    assert Fraction(line.quantity) == Fraction(quantity, 10_000)
    assert Fraction(line.amount) == Fraction(amount, UNITS[currency])
    assert Fraction(line.tax) == Fraction(half_up(amount * Fraction(tax) / 100), UNITS[currency])
    assert -line.amount.as_tuple().exponent == len(str(UNITS[currency])) - 1  # type: ignore[operator]  # is no NaN
    assert line.seconds == seconds


@pytest.mark.parametrize(
    ("seconds", "quantity"),
    [(1, "0"), (450, "0"), (451, "0.25"), (900, "0.25"), (1350, "0.25"), (1351, "0.5"), (3600, "1"),
     (360_000, "100")],
)  # fmt: skip
def test_itflows_quarters(seconds: int, quantity: str) -> None:
    """Its remainder of 450 s is rounded down; 100 h and more it cannot bill."""
    assert rules.hours(seconds, QUARTERS) == Decimal(quantity)


@pytest.mark.parametrize(
    ("seconds", "rate", "amount", "tax"),
    [(600, "95.00", "15.84", "3.01"), (1, "0.00", "0.00", "0.00"), (5400, "0.01", "0.02", "0.00")],
)
def test_printed_numbers_agree(seconds: int, rate: str, amount: str, tax: str) -> None:
    """10 minutes are 0.1667 hours: 15.8365, so 15.84; of that 19 % are 3.0096, so 3.01."""
    line = one(seconds, client_rate=euros(rate))
    assert (str(line.amount), str(line.tax)) == (amount, tax)


TIMES = st.lists(
    st.builds(
        worked,
        id=st.integers(1, 10**6),
        seconds=SECONDS,
        ticket=st.integers(1, 4),
        agent_rate=st.none() | st.sampled_from([euros("80"), euros("80.00"), euros("120.00")]),
        on=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda each: each.time_id,
)


@given(TIMES, st.sampled_from(["ticket", "entry"]))
def test_every_time_is_on_one_line(times: list[Worked], lines: Any) -> None:
    made = rules.draft_lines(times, terms(lines=lines, client_rate=None, default_rate=euros("50")))
    assert Counter(id for line in made for id in line.time_ids) == Counter(
        each.time_id for each in times
    )
    assert sum(line.seconds for line in made) == sum(each.seconds for each in times)
    by_id = {each.time_id: each for each in times}
    for line in made:
        its = [by_id[id] for id in line.time_ids]
        assert {each.ticket for each in its} == {line.ticket}
        assert {Decimal((each.agent_rate or euros("50")).amount) for each in its} == {line.rate}
        assert (line.worked_from, line.worked_to) == (
            min(each.on for each in its),
            max(each.on for each in its),
        )
    rates = {(each.ticket, rules.rate_of(each, terms(client_rate=None, default_rate=euros("50"))))
             for each in times}  # fmt: skip
    assert len(made) == (len(times) if lines == "entry" else len(rates))


def stored(lines: list[Line], currency: str = "EUR", **fields: Any) -> Invoice:
    """The document of an invoice with these lines, as PostgreSQL has them."""
    columns = ("description", "seconds", "quantity", "rate", "amount", "tax_rate", "tax")
    rows = ", ".join(
        '{"id": 1, "ticket_id": 1, "reference": "TCK-1", "time_entry_id": null, "agent_id": 1, '
        f'"agent_name": {json.dumps(fields.get("agent", "Ann"))}, '
        f'"worked_from": "{line.worked_from}", "worked_to": "{line.worked_to}", '
        + ", ".join(f'"{n}": {_json(getattr(line, n))}' for n in columns)
        + "}"
        for line in lines
    )
    now = datetime(2026, 3, 31, tzinfo=UTC)
    row: Any = {
        **dict.fromkeys(("issued_at", "voided_at", "void_reason")),
        "id": 1,
        "number": 1,
        "prefix": "INV-",
        "state": "draft",
        "version": 1,
        "client_id": 7,
        "client_name": "Acme",
        "language": "en",
        "currency": currency,
        "seller": "{}",
        "buyer": '{"name": "Acme"}',
        "created_by": '{"type": "system"}',
        "date": now.date(),
        "due": now.date(),
        "created_at": now,
        "updated_at": now,
        "lines": f"[{rows}]",
    }
    return invoice(row)


def _json(value: Any) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


@given(TIMES, RATES, TAXES, CURRENCIES)
def test_sums_are_those_of_what_is_printed(
    times: list[Worked], rate: Decimal, tax: Decimal, currency: str
) -> None:
    money = Money(amount=str(rate), currency=currency)
    lines = rules.draft_lines(times, terms(client_rate=money, currency=currency, tax_rate=tax))
    made = stored(lines, currency)
    printed = [
        [Fraction(getattr(line, name).amount) for name in ("amount", "tax", "total")]
        for line in made.lines
    ]
    sums = [Fraction(each.amount) for each in (made.subtotal, made.tax, made.total)]
    assert sums == [sum(column) for column in zip(*printed, strict=True)]
    assert sums[0] + sums[1] == sums[2]
    assert [Fraction(line.amount) for line in lines] == [row[0] for row in printed]
    digits = len(str(UNITS[currency])) - 1
    assert {len(each.amount.partition(".")[2]) for each in (made.subtotal, made.total)} == {digits}


def test_the_longest_invoice_fits_into_a_message() -> None:
    times = [worked(id, note="ж" * 200) for id in range(rules.MOST_LINES)]
    longest = stored(rules.draft_lines(times, terms(lines="entry")), agent="ж" * 50)
    assert len(longest.lines) == rules.MOST_LINES
    assert len(InvoiceDrafted(invoice=longest).model_dump_json().encode()) < MESSAGE_BYTES


def test_whose_rate_it_is() -> None:
    ann = worked(agent_rate=euros("120"))
    some = {"ticket_rate": euros("1"), "client_rate": euros("2"), "default_rate": euros("4")}
    assert rules.rate_of(ann, terms(**some)) == 1
    assert rules.rate_of(ann, terms(**some | {"ticket_rate": None})) == 2
    assert rules.rate_of(ann, terms(client_rate=None, default_rate=euros("4"))) == 120
    assert rules.rate_of(worked(), terms(client_rate=None, default_rate=euros("4"))) == 4
    with pytest.raises(Conflict, match="rate"):
        rules.rate_of(worked(), terms(client_rate=None))
    with pytest.raises(Conflict, match="USD"):
        rules.rate_of(ann, terms(client_rate=Money(amount="1", currency="USD")))


def test_what_lines_say() -> None:
    note = worked(note="  Took the\nfuser out. ", subject="x" * 300)
    (by_entry,) = rules.draft_lines([note], terms(lines="entry"))
    assert (by_entry.description, by_entry.time_entry_id) == ("Took the fuser out.", 1)
    assert by_entry.agent == note.agent
    (by_ticket,) = rules.draft_lines([note], terms())
    assert by_ticket.description == "x" * rules.DESCRIPTION_CHARACTERS
    assert (by_ticket.agent, by_ticket.time_entry_id) == (None, None)


def test_an_invoice_has_an_end() -> None:
    rules.check_length(rules.MOST_LINES)
    with pytest.raises(Conflict, match="251 lines"):
        rules.check_length(rules.MOST_LINES + 1)


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        ("2 Way|10115|Berlin||Germany", ["2 Way", "10115 Berlin", "Germany"]),
        ("2 Way\nFlat 3|12345|Springfield|ST|", ["2 Way", "Flat 3", "Springfield, ST 12345"]),
        ("||Berlin||", ["Berlin"]),
        ("|||ST|", ["ST"]),
        ("||||", []),
    ],
)
def test_where_a_client_is(place: str, lines: list[str]) -> None:
    names = ("address", "zip", "city", "state", "country")
    told = dict(zip(names, (part or None for part in place.split("|")), strict=True))
    assert rules.postal_address(told) == ("\n".join(lines) or None)


@pytest.mark.parametrize(("own", "days"), [(None, 30), (0, 0), (14, 14)])
def test_when_it_is_due(own: int | None, days: int) -> None:
    """On the seller's calendar: in Auckland the new year has begun."""
    client = Named(id=7, name="Acme")
    billing = Billing(
        client=client,
        buyer=Buyer(name="Acme"),
        language="en",
        timezone="UTC",
        currency="EUR",
        rate=None,
        net_terms=own,
        settings=Settings(timezone="Pacific/Auckland"),
    )
    on, due = billing.dates(datetime(2026, 12, 31, 12, tzinfo=UTC))
    assert (on, due) == (date(2027, 1, 1), date(2027, 1, 1) + timedelta(days))


@pytest.mark.parametrize(
    ("amount", "currency", "field"),
    [
        ("95.00", "EUR", None),
        ("0", "EUR", None),
        ("-1", "EUR", "rate.amount"),
        ("1.123456789", "EUR", "rate.amount"),
        ("NaN", "EUR", "rate.amount"),
        ("Infinity", "EUR", "rate.amount"),
        ("1e-9", "EUR", "rate.amount"),
        ("", "EUR", "rate.amount"),
        ("95.00", "USD", "rate.currency"),
    ],
)
def test_rates_that_there_are_not(amount: str, currency: str, field: str | None) -> None:
    refused = pytest.raises(Invalid) if field else nullcontext()
    with refused as error:
        rules.check_rate(Money(amount=amount, currency=currency), "EUR")
    assert field is None or (error is not None and error.value.field == field)
