"""Tables for people, tab separated lines for programs."""

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

TIMES = "%Y-%m-%d %H:%M:%SZ"


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    lines = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(columns, lines)
        return
    for line in ([*columns], *lines):
        say("\t".join(line))


def _drawn(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=box.SIMPLE_HEAD)
    for line in lines:
        drawn.add_row(*map(Text, line))
    Console().print(drawn)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(TIMES)
    return " ".join(str(value).split())
