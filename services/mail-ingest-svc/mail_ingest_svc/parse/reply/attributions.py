"""Finds "On 3 May 2024, Ann <ann@example.com> wrote:", on one line or wrapped over several."""

import re
from collections.abc import Iterator, Sequence

from mail_ingest_svc.parse.reply.languages import (
    DASHES,
    WROTE,
    WROTE_AT_END,
    begins_with_on,
    plain,
)
from mail_ingest_svc.parse.reply.lines import Line

MOST_LINES = 5
LONGEST = 400

_RULES = f" \t_*~{DASHES}"
_DATE = re.compile(
    r"\d{1,2}[:.h]\d\d|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|(?<!\d)(?:19|20)\d\d(?!\d)"
    r"|\d{1,2}-\w{3,4}-|[年년]"
)
_ADDRESS = re.compile(r"\w@\w")
_ADDRESS_AT_END = re.compile(r"\w@[^<>@\s]{1,200}[>)]{1,2}$")
_NUMBER_FIRST = re.compile(r"\(?(?:[^\W\d]{1,14}[.,]{0,2}\s)?\d{1,4}(?![\w@])|\d{4}[年년]")
_NAME_FIRST = re.compile(r"[^<>@:]{1,80}<\s?[^<>\s]{3,200}>.{0,30}\d")
_EARLY = 40
_NAME = 80


def attribution(lines: Sequence[Line], end: int, *, quote_follows: bool) -> int | None:
    """The first line of the attribution of which ``end`` is the last."""
    if not _may_end(lines[end].text, quote_follows=quote_follows):
        return None
    found: int | None = None
    for first, joined in _candidates(lines, end):
        if not _tells(joined, quote_follows=quote_follows):
            continue
        if _begins(joined):
            return first
        if found is None and _stands_alone(joined, quote_follows=quote_follows):
            found = first
    return found


def _may_end(text: str, *, quote_follows: bool) -> bool:
    bare = plain(text).rstrip()
    if bare.endswith(":") or (quote_follows and bare.endswith(">")):
        return True
    return bare.rstrip(_RULES)[-20:].casefold().endswith(WROTE_AT_END)


def _candidates(lines: Sequence[Line], end: int) -> Iterator[tuple[int, str]]:
    """Lines that end with ``end``, the shortest first, each as one string without capitals."""
    joined = ""
    for first in range(end, max(-1, end - MOST_LINES), -1):
        line = lines[first]
        if first != end and line.quoted:
            return
        if line.blank and not joined.startswith("<"):
            return
        joined = f"{plain(line.text).strip().casefold()} {joined}".strip()
        if len(joined) > LONGEST:
            return
        yield first, joined


def _tells(joined: str, *, quote_follows: bool) -> bool:
    """Whether it says enough of a mail: a verb, a date, an address."""
    bare = joined.strip(_RULES)
    dated, addressed = bool(_DATE.search(bare)), bool(_ADDRESS.search(bare))
    ended = bare.endswith(":")
    if WROTE.search(bare):
        dashed = joined[-1] in _RULES and joined[0] in _RULES
        by_verb = dashed or (dated and addressed)
        return (dated or addressed or quote_follows) if ended else by_verb
    if not (dated and addressed):
        return False
    return bool(_ADDRESS_AT_END.search(bare.rstrip(" :"))) and (ended or quote_follows)


def _begins(joined: str) -> bool:
    """With "On", a number, the name of a day before one, or a name and address before a date."""
    bare = joined.lstrip(_RULES)
    if begins_with_on(bare, _EARLY) or _NUMBER_FIRST.match(bare):
        return True
    return bool(_NAME_FIRST.match(bare))


def _stands_alone(joined: str, *, quote_follows: bool) -> bool:
    """Without a date in front: "Ann <ann@example.com> wrote:", or "Ann wrote:" before a quote."""
    if joined[-1] in _RULES:
        return True
    bare = joined.rstrip(" :")
    verb = WROTE.search(bare, max(0, len(bare) - 40))
    name = bare[: verb.start()].rstrip() if verb else bare
    if _ADDRESS_AT_END.search(name):
        return not name.startswith("<")
    return quote_follows and len(joined) <= _NAME
