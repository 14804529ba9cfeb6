"""One body per message as first released: what was once on the wire is understood for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from deskwire import topology
from deskwire.contracts.base import MESSAGES
from deskwire.messaging.envelope import Envelope

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.json"))


def lost(before: Any, after: Any, place: str = "") -> list[str]:
    """Where a value of the example is not in what was understood of it."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            found
            for key, value in before.items()
            for found in lost(value, after.get(key), f"{place}.{key}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [found for n, (one, two) in pairs for found in lost(one, two, f"{place}[{n}]")]
    return [] if before == after else [place]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_understood_whole(example: Path) -> None:
    message = Envelope(type=example.stem, body=example.read_bytes()).message
    assert lost(json.loads(example.read_bytes()), message.model_dump(mode="json")) == []


def test_every_message_has_its_example() -> None:
    taken = {message.wire_name for queue in topology.QUEUES for message in queue.messages}
    assert {example.stem for example in EXAMPLES} == set(MESSAGES) == taken


def test_what_is_lost_is_found() -> None:
    before = {"a": [{"b": 1}, {"c": 2}], "d": None}
    assert lost(before, {"a": [{"b": 1, "new": 0}, {"c": 2}], "d": None}) == []
    assert lost(before, {"a": [{"b": "1"}, {}], "d": 3}) == [".a[0].b", ".a[1].c", ".d"]
    assert lost(before, {"a": [], "d": None}) == [".a"]
