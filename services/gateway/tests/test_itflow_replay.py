"""What ITFlow's API is documented to answer, call by call and byte by byte: `itflow_replay.txt`."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import itflow_api
from gateway_api import Desk

from gateway.api.itflow import FACES

FORM = "application/x-www-form-urlencoded"
_TIME = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_STEP = re.compile(
    r"^(?P<method>[A-Z]+) (?P<name>[a-z_/]+)(?:\?(?P<query>\S+))?\n"
    r"(?:  (?P<body>[^=].*)\n)?"
    r"  = (?P<status>\d+)(?: (?P<answer>.+))?$",
    re.MULTILINE,
)


class Step(NamedTuple):
    method: str
    name: str
    query: str
    body: str
    status: int
    answer: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.name}?{self.query} {self.body}"


def replay() -> Iterator[Step]:
    text = Path(__file__).with_name("itflow_replay.txt").read_text(encoding="utf-8")
    told = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\n    ", " ")
    assert not _STEP.sub("", told).strip(), "lines that are no step"
    for step in _STEP.finditer(told):
        answer = _answer(step["answer"] or "")
        texts = step["method"], step["name"], step["query"] or "", step["body"] or ""
        yield Step(*texts, int(step["status"]), answer)


def _answer(told: str) -> bytes:
    name, _, values = told.partition(" ")
    if name == "ROWS":
        return _rows(json.loads(values))
    if name == "MADE":
        return itflow_api.made(int(values))
    named: bytes | None = getattr(itflow_api, name, None) if name.isupper() else None
    return named or told.replace("\\n", "\n").encode()


def _rows(rows: list[Mapping[str, str | None]]) -> bytes:
    numbered = [
        {key: v for place, (name, v) in enumerate(row.items()) for key in (str(place), name)}
        for row in rows
    ]
    whole = {"success": "True", "count": len(rows), "data": numbered}
    return json.dumps(whole, separators=(",", ":")).replace("/", "\\/").encode()


async def test_every_documented_call_is_answered_as_documented(desk: Desk) -> None:
    key, nobody = desk.api.key, desk.api.using("")
    for step in replay():
        path = f"/api/v1/{step.name}.php?{step.query.replace('KEY', key)}"
        body = step.body.replace("KEY", key).encode() or None
        kind = {"Content-Type": FORM} if body else {}
        answer = await nobody.call(step.method, path, body, kind)
        found = answer.status, _TIME.sub(b"TIME", answer.body)
        assert found == (step.status, step.answer), str(step)
        assert answer.headers["Content-Type"] == "application/json"


def test_every_function_is_in_the_replay() -> None:
    assert {step.name for step in replay()} == {face.name for face in FACES}
