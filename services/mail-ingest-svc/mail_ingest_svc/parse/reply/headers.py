"""Finds what stands above an unmarked quotation: header blocks, and lines between dashes."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from deskwire.contracts.mail import DELIMITER_END, DELIMITER_START
from mail_ingest_svc.parse.reply.languages import (
    COLONS,
    DASHES,
    FORWARDED,
    KINDS_OF_LABEL,
    LABEL_INSIDE,
    ORIGINAL,
    plain,
)
from mail_ingest_svc.parse.reply.lines import LONGEST, Line

MOST_LINES = 16
LONGEST_LABEL = 30
MOST_BETWEEN = 2
"""So many lines without a label may be the rest of a long list of recipients."""

_RULES = f"_=*~ {DASHES}"
_DRAWN = re.compile(rf"[ \t>*]*[{DASHES}_=~]{{2}}")
_DECORATION = " \t*_|"


def is_header_block(lines: Sequence[Line], first: int) -> bool:
    """Whether "From: … Sent: … To: … Subject: …" begins here, in any order and language."""
    if not _kinds(lines[first].text):
        return False
    block = list(_block(lines, first))
    kinds = {kind for line in block for kind in _kinds(line.text)}
    return _is_header(kinds, addressed=any("@" in line.text for line in block))


def _is_header(kinds: set[str], *, addressed: bool) -> bool:
    """A form's "From: … Subject: …" is none, nor is a journey from one place to another."""
    if {"from", "date"} <= kinds:
        return addressed or "subject" in kinds
    return ({"date", "to"} <= kinds and addressed) or {"from", "to", "subject"} <= kinds


def _block(lines: Sequence[Line], first: int) -> Iterator[Line]:
    between = 0
    for line in lines[first : first + MOST_LINES]:
        if line.quoted:
            return
        between = 0 if _kinds(line.text) else between + 1
        if between > MOST_BETWEEN:
            return
        yield line


@lru_cache(maxsize=4 * MOST_LINES)
def _kinds(text: str) -> set[str]:
    """Which fields a line names; the first of them at its beginning."""
    head, colon, _ = plain(text[:LONGEST_LABEL]).partition(":")
    if not colon:
        return set()
    kind = KINDS_OF_LABEL.get(head.strip(_DECORATION).casefold())
    if kind is None:
        return set()
    others = LABEL_INSIDE.findall(plain(text).casefold())
    return {kind, *(KINDS_OF_LABEL[each] for each in others)}


def is_rule(line: Line) -> bool:
    """A line drawn with dashes or the like, with or without words in it."""
    return not line.blank and (not line.text.strip(_RULES) or _between_rules(line.text) != "")


def is_original(line: Line) -> bool:
    return _between_rules(line.text) in ORIGINAL


def is_forwarded(line: Line) -> bool:
    """ "---------- Forwarded message ----------", or "Begin forwarded message:"."""
    words = _between_rules(line.text)
    if not words and line.text.rstrip().endswith(COLONS):
        words = plain(line.text).strip(" \t:>").casefold()
    return words.startswith(FORWARDED)


def is_delimiter(line: Line) -> bool:
    """Our own, or another helpdesk's: what stands above it was asked for. Where a program shows
    what is hidden in our mails, what they begin with is before it."""
    text = line.text[:LONGEST].strip(" \t>*|")
    return DELIMITER_START in text and text.endswith(DELIMITER_END)


def _between_rules(text: str) -> str:
    """ "original message" of "-----Original Message-----"; empty for any other line."""
    if not _DRAWN.match(text):
        return ""
    line = plain(text).strip(" \t>*")
    words = line.strip(_RULES)
    drawn = len(line) - len(words)
    if drawn < 4 or len(words) > 80 or line[0] not in _RULES or line[-1] not in _RULES:
        return ""
    return words.casefold()
