"""Amounts of money: rates, and what is on invoices."""

from deskwire.contracts.base import Document


class Money(Document):
    """``amount`` is a decimal number as text; ``currency`` an ISO 4217 code."""

    amount: str
    currency: str
