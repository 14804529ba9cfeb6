"""Mails of other projects, beside their answers where they have some."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from corpora import CORPORA, bounce_score, files_in, mails, oracle_score
from fuzz_parser import check, mutated, seeds

from mail_ingest_svc.parse import parse

ORACLE = CORPORA / "mime" / "stalwart"

pytestmark = pytest.mark.skipif(not CORPORA.exists(), reason="this clone has no corpora")

# The share of stalwart's answers that is ours too. It differs by intent for a From without @, raw
# 8-bit subjects (we read them), uuencoded files (we find them) and mails with boundaries nested in
# ways on which no two parsers agree.
FLOORS = {
    "message_id": 1.0,
    "sender": 0.99,
    "to": 1.0,
    "date": 0.98,
    "subject": 0.95,
    "text": 0.92,
    "attachments": 0.87,
}


def test_mails_cut_up_and_put_together_anew_are_read() -> None:
    """Other ones each time; `make fuzz-mail` goes on for longer."""
    seed, known = random.randrange(10**9), seeds()
    chance = random.Random(seed)
    for number in range(300):
        raw = mutated(chance, known)
        try:
            check(raw)
        except Exception as error:
            raise AssertionError(f"mail {number} of seed {seed}") from error


def test_every_mail_is_read() -> None:
    files = list(mails())
    for file in files:
        parsed = parse(file.read_bytes())
        assert "unreadable" not in parsed.defects, file
        for s in (parsed.subject, parsed.text, parsed.html or ""):
            s.encode()
            assert "\0" not in s, file
    assert len(files) > 800


def test_as_much_as_before_is_right(record_property: Callable[[str, object], None]) -> None:
    right, asked = Counter[str](), Counter[str]()
    for ours, theirs in answers():
        for field, answer in theirs.items():
            asked[field] += 1
            right[field] += ours[field] == answer
    shares = {field: right[field] / asked[field] for field in FLOORS}
    record_property("shares", shares)
    assert {f: s for f, s in shares.items() if s < FLOORS[f]} == {}, shares


def test_mails_are_right_as_a_whole(record_property: Callable[[str, object], None]) -> None:
    score = oracle_score()
    record_property("whole mails", (score.right, score.of))
    assert score.right >= 85, score.wrong


def answers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for file in sorted(ORACLE.rglob("*.eml")):
        expected = json.loads(file.with_suffix(".json").read_text())
        yield our_answer(file.read_bytes()), dict(their_answer(expected))


def our_answer(raw: bytes) -> dict[str, Any]:
    parsed = parse(raw)
    return {
        "message_id": parsed.message_id,
        "sender": parsed.sender.email if parsed.sender else None,
        "to": [address.email for address in parsed.to],
        "date": parsed.date,
        "subject": parsed.subject,
        "text": bool(parsed.text),
        "attachments": len(parsed.attachments),
    }


def their_answer(expected: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    headers: dict[str, Any] = {}
    for header in expected["parts"][0]["headers"]:
        if isinstance(header["name"], str) and isinstance(header["value"], dict):
            headers.setdefault(header["name"], header["value"])
    authors = emails(headers.get("from"))
    yield "sender", authors[0] if len(authors) == 1 else None
    yield "to", emails(headers.get("to"))
    yield "subject", " ".join(headers.get("subject", {}).get("Text", "").split())
    if "message_id" in headers:
        yield "message_id", headers["message_id"]["Text"]
    if "date" in headers:
        yield "date", moment(headers["date"]["DateTime"])
    yield "text", any(text_in(expected["parts"][n]) for n in expected["text_body"])
    yield "attachments", len(files_in(expected))


def emails(value: dict[str, Any] | None) -> list[str]:
    kinds = (value or {}).get("Address", {})
    groups = kinds.get("Group") or [{"addresses": kinds.get("List", [])}]
    return [a["address"] for group in groups for a in group["addresses"] if a["address"]]


def moment(d: dict[str, Any]) -> datetime:
    zone = timedelta(hours=d["tz_hour"], minutes=d["tz_minute"])
    local = datetime(
        d["year"], d["month"], d["day"], d["hour"], d["minute"], d["second"], tzinfo=UTC
    )
    return local + zone if d["tz_before_gmt"] else local - zone


def text_in(part: dict[str, Any]) -> bool:
    return any(str(part["body"].get(kind, "")).strip() for kind in ("Text", "Html"))


def test_bounces_are_known_and_understood(record_property: Callable[[str, object], None]) -> None:
    known, recipients = bounce_score()
    record_property("bounces", (known.share, recipients.share))
    assert known.share >= 0.99, known.wrong
    assert recipients.share >= 0.85, recipients.wrong


# These are bounces and say so in their names or subjects.
REAL_BOUNCES = 33


def test_ordinary_mail_is_no_bounce() -> None:
    kinds = Counter(parse(file.read_bytes()).kind for file in mails(CORPORA / "mime"))
    assert kinds["bounce"] <= REAL_BOUNCES
    assert kinds["person"] > 500
