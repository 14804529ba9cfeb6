"""Which time zones there are."""

from functools import cache
from zoneinfo import available_timezones


@cache
def time_zones() -> frozenset[str]:
    """IANA's names, without `localtime`, which is another one on every host.

    Asking for them walks the folder of the zones each time.
    """
    return frozenset(available_timezones() - {"localtime"})
