"""Finds the mails of other projects and compares what is read of them with what they expect.

They lie in ``shared/corpora`` beside the project, or beside a folder above it, and are no part of
it: where there are none, tests skip and the report says so.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deskwire.contracts.mail import Undelivered
from deskwire.html import text_of
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


def oracle_score() -> Score:
    """Of stalwart's mails: subject, author, number of files and text, all four right."""
    score = Score()
    for file in sorted((CORPORA / "mime" / "stalwart").rglob("*.eml")):
        expected = json.loads(file.with_suffix(".json").read_text())
        parsed = parse(file.read_bytes())
        headers = {
            header["name"]: header["value"]
            for header in expected["parts"][0]["headers"]
            if isinstance(header["name"], str) and isinstance(header["value"], dict)
        }
        right = (
            _same(headers.get("subject", {}).get("Text", ""), parsed.subject)
            and _emails(headers.get("from")) == [author.email for author in parsed.authors]
            and len(files_in(expected)) == len(parsed.attachments)
            and _same(_text(expected), parsed.text)
        )
        score.add(f"{file.parent.name}/{file.name}", right=right)
    return score


def _same(theirs: str, ours: str) -> bool:
    """But for white space, NUL, and U+FFFD for what the other parser could not read."""
    parts = map(re.escape, "".join(theirs.replace("\0", "").split()).split("\ufffd"))
    return re.fullmatch(".*?".join(parts), "".join(ours.split())) is not None


def _emails(value: dict[str, Any] | None) -> list[str]:
    kinds = (value or {}).get("Address", {})
    groups = kinds.get("Group") or [{"addresses": kinds.get("List", [])}]
    found = [a["address"] or "" for group in groups for a in group["addresses"]]
    return [email for email in found if "@" in email]


def files_in(expected: dict[str, Any]) -> set[int]:
    """Theirs count pictures inside the HTML as its body."""
    read = {*expected["text_body"], *expected["html_body"]}
    binary = {n for n in read if {"Binary", "InlineBinary"} & expected["parts"][n]["body"].keys()}
    return binary | set(expected["attachments"])


def _text(expected: dict[str, Any]) -> str:
    bodies = [expected["parts"][n]["body"] for n in expected["text_body"]]
    return "".join(body.get("Text") or text_of(body.get("Html", "")) for body in bodies)


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
