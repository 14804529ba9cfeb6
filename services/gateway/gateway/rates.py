"""How many requests one key, or one address with wrong keys, may make; counted in this process.

Not by the library `limits`, see docs/adr/0007: it costs thirty times as much.
"""

import re
import time
from collections.abc import Hashable
from dataclasses import dataclass
from ipaddress import IPv6Address
from math import ceil
from typing import NamedTuple

COUNTED = 10_000
"""So many keys or addresses are remembered at once; beyond that the oldest windows begin anew."""

_UNITS = {"second": 1, "minute": 60, "hour": 3600}
_RATE = re.compile(rf"([1-9][0-9]{{0,8}})/({'|'.join(_UNITS)})")


class Rate(NamedTuple):
    amount: int
    seconds: int


def parse(text: str) -> Rate | None:
    """``3000/minute``, or nothing for no limit. Raises `ValueError`."""
    if not text:
        return None
    found = _RATE.fullmatch(text)
    if found is None:
        raise ValueError(f"must be like 3000/minute, per {', '.join(_UNITS)}")
    return Rate(int(found[1]), _UNITS[found[2]])


@dataclass(slots=True)
class Window:
    """``until`` on the monotonic clock; ``left`` is below 0 when there was no room."""

    limit: int
    until: float
    left: int

    @property
    def spent(self) -> bool:
        return self.left < 0

    @property
    def reset(self) -> int:
        """Whole seconds until it begins anew."""
        return max(1, ceil(self.until - time.monotonic()))


class Limiter:
    """Windows of a fixed length, each from its first request on."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._windows: dict[Hashable, Window] = {}

    def take(self, whose: Hashable) -> Window:
        """One request more; whether it had room is in the window."""
        now = time.monotonic()
        window = self._windows.get(whose)
        if window is None or window.until <= now:
            window = self._begin(whose, now)
        window.left -= 1
        return window

    def _begin(self, whose: Hashable, now: float) -> Window:
        self._windows.pop(whose, None)  # to the end: the first are those that began first
        if len(self._windows) >= COUNTED:
            for oldest in list(self._windows)[: COUNTED // 2]:
                del self._windows[oldest]
        window = Window(self._rate.amount, now + self._rate.seconds, self._rate.amount)
        self._windows[whose] = window
        return window


def network(address: str) -> str:
    """What one attacker has of addresses: one of IPv4, 2**64 of IPv6."""
    if ":" not in address:
        return address
    try:
        return str(IPv6Address(int(IPv6Address(address)) >> 64 << 64))
    except ValueError:
        return address
