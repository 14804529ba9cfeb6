"""The messages between services as a page for people, from contracts and topology."""

import sys
from collections.abc import Iterator
from itertools import groupby

from deskwire.contracts.base import MESSAGES, Message
from deskwire.topology import QUEUES

HEAD = """\
# Messages

Made from the code by `make docs`; [asyncapi.json](asyncapi.json) has every field. Events say what
has happened, by its owner; commands ask an owner for something. Every message has one owner, is
handled once by each queue that takes it, and in order with the others about the same thing.
"""

COLUMNS = ("message", "class", "what it says", "fields", "taken by")


def messages_page() -> str:
    by_module = sorted(MESSAGES.values(), key=lambda message: (message.__module__, _place(message)))
    sections = groupby(by_module, key=lambda message: message.__module__)
    return "\n".join([HEAD, *(_section(module, list(those)) for module, those in sections)])


def _place(message: type[Message]) -> int:
    """As they stand in their module: what belongs together is together."""
    return list(vars(sys.modules[message.__module__]).values()).index(message)


def _section(module: str, messages: list[type[Message]]) -> str:
    about = (sys.modules[module].__doc__ or "").strip()
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, messages)]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"## {module.rpartition('.')[2]}\n\n{about}\n\n{table}\n"


def _row(message: type[Message]) -> tuple[str, ...]:
    about = " ".join((message.__doc__ or "").partition("\n\n")[0].split()).replace("``", "`")
    fields = ", ".join(f"`{name}`" for name in message.model_fields)
    return f"`{message.wire_name}`", message.__name__, about, fields, ", ".join(_takers(message))


def _takers(message: type[Message]) -> Iterator[str]:
    return (queue.name for queue in QUEUES if message in queue.messages)
