"""Replies of other projects, with what their authors say that a person wrote in them."""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

from corpora import CORPORA, Score

from mail_ingest_svc.parse.reply import Reply, read_reply

_NEVER_SHOWN = re.compile(r"<(style|head|title)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def reply_score(kind: str) -> Score:
    """Of the ``plain`` or ``html`` cases: right is what is equal but for white space."""
    score = Score()
    for case in _cases(kind):
        reply = read_reply("", case["input"]) if kind == "html" else read_reply(case["input"])
        score.add(f"{case['suite']}: {case['id']}", right=_is_right(case, _answer(case, reply)))
    return score


def _cases(kind: str) -> Iterator[dict[str, Any]]:
    for case in json.loads((CORPORA / "reply" / "cases.json").read_text()):
        if case["kind"] == kind:
            yield case


def _answer(case: dict[str, Any], reply: Reply) -> str:
    """Some authors count the signature to what was written."""
    wanted = {"visible", "signature"} if case["sig"] == "keep" else {"visible"}
    return "\n".join(reply.text[s.start : s.end] for s in reply.spans if s.kind in wanted)


def _is_right(case: dict[str, Any], answer: str) -> bool:
    expected = case["expected"]
    if expected is None:
        found = all(part in answer for part in case["contains"])
        return found and not any(part in answer for part in case["not_contains"])
    if case["kind"] == "html":
        expected = unescape(_TAG.sub("", _NEVER_SHOWN.sub("", expected)))
    return "".join(answer.split()) == "".join(expected.split())
