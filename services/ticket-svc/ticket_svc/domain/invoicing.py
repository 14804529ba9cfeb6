"""What time is billed at: whose rate, how many hours, and the sums, in exact decimal arithmetic.

The rate of time is the first that there is: the one given for its ticket, the client's, that of the
agent who worked, the instance's default. All of an invoice is in the client's currency. Of a line's
seconds the hours are rounded, then the amount, then its tax, each half up; the sums are of these
rounded values, so that they agree with what is printed.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import (
    ROUND_HALF_DOWN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
    InvalidOperation,
    localcontext,
)
from zoneinfo import ZoneInfo

from deskwire.contracts.actors import Named
from deskwire.contracts.invoices import Buyer, Invoice
from deskwire.contracts.money import Money
from deskwire.contracts.settings import InvoiceLines, Seller, Settings, TimeRounding
from deskwire.errors import Conflict, Invalid, NotFound

MOST_LINES = 250
"""So that an invoice fits into a message, whatever its lines say."""

DESCRIPTION_CHARACTERS = 100

DIGITS = 60
"""Of all arithmetic: more than any amount has."""

_HOUR_DIGITS = 4
_RATE_DIGITS = 2
_MINOR_DIGITS = {
    code: digits
    for digits, codes in (
        (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
        (3, "BHD IQD JOD KWD LYD OMR TND"),
        (4, "CLF UYW"),
    )
    for code in codes.split()
}
"""Digits behind the point, where they are not 2 (ISO 4217, list one)."""


@dataclass(frozen=True, slots=True)
class Worked:
    """A time entry, with the reference of its ticket, the day that it began on where the client
    is, and the rate of its agent."""

    time_id: int
    ticket: Named
    subject: str
    note: str
    agent: Named | None
    agent_rate: Money | None
    seconds: int
    on: date


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a client's time is billed. ``tax_rate`` is percent."""

    currency: str
    tax_rate: Decimal
    rounding: TimeRounding
    lines: InvoiceLines
    ticket_rate: Money | None = None
    client_rate: Money | None = None
    default_rate: Money | None = None


@dataclass(frozen=True, slots=True)
class Billing:
    """A client as it is billed. ``settings`` are those in force for it; ``rate`` and ``net_terms``
    are its own, if it has any."""

    client: Named
    buyer: Buyer
    language: str
    timezone: str
    currency: str
    rate: Money | None
    net_terms: int | None
    settings: Settings

    def terms(self, lines: InvoiceLines | None = None, ticket_rate: Money | None = None) -> Terms:
        """Raises `Invalid` for a rate that a ticket of the client cannot have."""
        check_rate(ticket_rate, self.currency)
        return Terms(
            currency=self.currency,
            tax_rate=Decimal(self.settings.tax_rate),
            rounding=self.settings.time_rounding,
            lines=lines or self.settings.invoice_lines,
            ticket_rate=ticket_rate,
            client_rate=self.rate,
            default_rate=self.settings.default_rate,
        )

    def dates(self, now: datetime) -> tuple[date, date]:
        """Of an invoice that is made now, and when it is due."""
        today = now.astimezone(ZoneInfo(self.settings.timezone)).date()
        own = self.net_terms
        return today, today + timedelta(self.settings.payment_terms if own is None else own)


@dataclass(frozen=True, slots=True)
class Line:
    """As `InvoiceLine` says; ``time_ids`` are the time entries that it bills."""

    ticket: Named
    description: str
    agent: Named | None
    time_entry_id: int | None
    worked_from: date
    worked_to: date
    seconds: int
    quantity: Decimal
    rate: Decimal
    amount: Decimal
    tax_rate: Decimal
    tax: Decimal
    time_ids: tuple[int, ...]


def draft_lines(worked: Sequence[Worked], terms: Terms) -> list[Line]:
    """A line for each time entry, or for each ticket and rate, in the order of the first time.

    Raises `Conflict` when a rate is missing or in another currency.
    """
    groups: dict[Hashable, list[Worked]] = {}
    for each in worked:
        key = each.time_id if terms.lines == "entry" else (each.ticket.id, rate_of(each, terms))
        groups.setdefault(key, []).append(each)
    return [_line(times, terms) for times in groups.values()]


def _line(times: Sequence[Worked], terms: Terms) -> Line:
    first, single = times[0], terms.lines == "entry"
    seconds, days = sum(each.seconds for each in times), [each.on for each in times]
    quantity, rate = hours(seconds, terms.rounding), rate_of(first, terms)
    amount = rounded(_product(quantity, rate), terms.currency)
    description = (single and first.note.strip()) or first.subject
    return Line(
        ticket=first.ticket,
        description=" ".join(description.split())[:DESCRIPTION_CHARACTERS],
        agent=first.agent if single else None,
        time_entry_id=first.time_id if single else None,
        worked_from=min(days),
        worked_to=max(days),
        seconds=seconds,
        quantity=quantity,
        rate=rate,
        amount=amount,
        tax_rate=terms.tax_rate,
        tax=rounded(_product(amount, terms.tax_rate.scaleb(-2)), terms.currency),
        time_ids=tuple(each.time_id for each in times),
    )


def rate_of(worked: Worked, terms: Terms) -> Decimal:
    """For an hour, in the currency of the terms."""
    given = (terms.ticket_rate, terms.client_rate, worked.agent_rate, terms.default_rate)
    rate = next((rate for rate in given if rate is not None), None)
    if rate is None:
        raise Conflict(f"{worked.ticket.name}: neither the client nor the agent has a rate")
    if rate.currency != terms.currency:
        theirs = f"the rate is in {rate.currency}, the client's currency is {terms.currency}"
        raise Conflict(f"{worked.ticket.name}: {theirs}")
    return Decimal(rate.amount)


def check_rate(rate: Money | None, currency: str) -> None:
    """Raises `Invalid` for a rate that a ticket of a client with the currency cannot have."""
    if rate is None:
        return
    if not is_decimal(rate.amount, digits=_RATE_DIGITS):
        raise Invalid("must be a number from 0 with two digits at most", field="rate.amount")
    if rate.currency != currency:
        raise Invalid(f"the client's currency is {currency}", field="rate.currency")


def is_decimal(text: str, *, digits: int) -> bool:
    """Whether it is a number from 0 on, with so many digits behind the point at most."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= digits and number >= 0


def hours(seconds: int, rounding: TimeRounding) -> Decimal:
    """Those that are billed, with four digits. ITFlow bills the nearest quarter hour, of which it
    rounds a half down."""
    with localcontext(prec=DIGITS):
        billed = Decimal(seconds)
        if rounding.rule != "exact":
            unit = Decimal(60 * rounding.minutes)
            way = ROUND_UP if rounding.rule == "up" else ROUND_HALF_DOWN
            billed = (billed / unit).quantize(Decimal(1), way) * unit
        return _quantized(billed / 3600, _HOUR_DIGITS)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the smallest unit of the currency, half up."""
    return _quantized(amount, _MINOR_DIGITS.get(currency, 2))


def _quantized(number: Decimal, digits: int) -> Decimal:
    with localcontext(prec=DIGITS):
        return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _product(one: Decimal, other: Decimal) -> Decimal:
    with localcontext(prec=DIGITS):
        return one * other


def postal_address(place: Mapping[str, str | None]) -> str | None:
    """Of a location, in lines. Where there are states the code comes after them."""
    city, code = place["city"] or "", place["zip"] or ""
    town = f"{city}, {place['state']} {code}" if place["state"] else f"{code} {city}"
    lines = (place["address"], town.strip(" ,"), place["country"])
    return "\n".join(line for line in lines if line) or None


# --- the life of an invoice


def check_length(lines: int) -> None:
    """Raises `Conflict`."""
    if lines > MOST_LINES:
        raise Conflict(f"it would have {lines} lines, and {MOST_LINES} are the most")


def check_addable(invoice: Invoice, client_id: int, currency: str) -> None:
    """Raises what speaks against adding time of the client to it."""
    if invoice.client.id != client_id:
        raise NotFound(f"the client has no invoice {invoice.id}", field="invoice_id")
    if invoice.state != "draft":
        raise Conflict(f"{invoice.reference} is {invoice.state}, no draft", field="invoice_id")
    if invoice.currency != currency:
        mixed = f"{invoice.reference} is in {invoice.currency}, the client's currency is {currency}"
        raise Conflict(mixed, field="invoice_id")


def check_issuable(invoice: Invoice, seller: Seller) -> None:
    """Raises `Conflict`."""
    if invoice.state != "draft":
        raise Conflict(f"{invoice.reference} is {invoice.state} already")
    if not seller.name:
        raise Conflict("who sends invoices is not told: change `seller` of the settings")


def check_voidable(invoice: Invoice) -> None:
    """Raises `Conflict`."""
    if invoice.state == "void":
        raise Conflict(f"{invoice.reference} is void already")
