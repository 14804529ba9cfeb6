"""Finds the mails of other projects and compares what is read of them with what they expect.

They lie in ``shared/corpora`` beside the project, or beside a folder above it, and are no part of
it: where there are none, tests skip and the report says so.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskwire.contracts.mail import Undelivered
from mail_ingest_svc.parse import parse

_SUFFIXES = {".eml", ".msg", ".raw", ".txt", ""}
_HERE = Path(__file__).resolve()
CORPORA = next(
    (found for above in _HERE.parents if (found := above / "shared" / "corpora").is_dir()),
    _HERE.parents[4] / "shared" / "corpora",
)


def mails(folder: Path = CORPORA) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix.lower() in _SUFFIXES:
            yield file


@dataclass(slots=True)
class Score:
    """How many were right of how many, and which were not."""

    right: int = 0
    of: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, *, right: bool) -> None:
        self.of += 1
        self.right += right
        if not right:
            self.wrong.append(name)

    @property
    def share(self) -> float:
        return self.right / self.of if self.of else 0.0


_KINDS = {"feedback": "feedback", "vacation": "auto-reply"}


def bounce_score() -> tuple[Score, Score]:
    """Whether each was known as what it is; whether each recipient's status and cause are right."""
    known, recipients = Score(), Score()
    expected = json.loads((CORPORA / "bounces" / "expected.json").read_text())
    for name, answers in expected.items():
        parsed = parse((CORPORA / "bounces" / name).read_bytes())
        kind = _KINDS.get(answers[0]["reason"], "bounce")
        known.add(name, right=parsed.kind == kind)
        found = list(parsed.undelivered)
        for answer in answers if kind == "bounce" else ():
            recipients.add(name, right=_taken(found, answer))
    return known, recipients


def _taken(found: list[Undelivered], answer: dict[str, Any]) -> bool:
    """The expectations name no address: each entry may stand for one recipient."""
    for each in found:
        if (each.status, each.cause) == (answer["status"], answer["reason"]):
            found.remove(each)
            return True
    return False
