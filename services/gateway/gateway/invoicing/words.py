"""The words and formats of a client's language; English ones where its words are not known."""

import re
import tomllib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval
from babel.numbers import format_currency, format_decimal, format_percent, parse_pattern

from deskwire.contracts.money import Money

_WORDS: dict[str, dict[str, str]] = tomllib.loads(
    files("gateway.invoicing").joinpath("words.toml").read_text(encoding="utf-8")
)

_ADJACENT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")
"""Where a letter of a currency and a digit touch: CLDR has a blank there."""


@dataclass(frozen=True, slots=True)
class Wording:
    locale: Locale

    def say(self, name: str, **values: str) -> str:
        return _WORDS[self.locale.language][name].format(**values)

    def money(self, money: Money, *, by_code: bool = False) -> str:
        """With as many digits as the amount has; ``by_code``: `EUR` in place of its sign."""
        amount, digits = Decimal(money.amount), len(money.amount.partition(".")[2])
        if by_code:
            number = format_decimal(amount, f"#,##0.{'0' * digits}", locale=self.locale)
            return f"{number}\xa0{money.currency}"
        pattern = parse_pattern(self.locale.currency_formats["standard"].pattern)
        pattern.frac_prec = (digits, digits)
        text = format_currency(
            amount, money.currency, pattern, locale=self.locale, currency_digits=False
        )
        return _ADJACENT.sub("\xa0", text)

    def hours(self, quantity: str) -> str:
        """With two digits, more where they are needed."""
        return format_decimal(Decimal(quantity), "#,##0.00##", locale=self.locale)

    def percent(self, rate: str) -> str:
        pattern = parse_pattern(self.locale.percent_formats[None].pattern)
        pattern.frac_prec = (0, 3)
        return format_percent(Decimal(rate).scaleb(-2), pattern, locale=self.locale)

    def day(self, on: date) -> str:
        return format_date(on, "medium", locale=self.locale)

    def days(self, first: date, last: date) -> str:
        if first == last:
            return self.day(first)
        return format_interval(first, last, "yMMMd", locale=self.locale)


@lru_cache(maxsize=256)
def wording(language: str) -> Wording:
    """Of a BCP 47 tag."""
    try:
        locale = Locale.parse(language, sep="-")
    except (ValueError, UnknownLocaleError):
        return Wording(Locale("en"))
    return Wording(locale if locale.language in _WORDS else Locale("en"))
