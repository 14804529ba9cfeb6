"""Finds where a signature begins in what a person wrote."""

import re
from collections.abc import Sequence

from mail_ingest_svc.parse.reply.languages import CLOSING, DASHES, SENT_FROM, plain
from mail_ingest_svc.parse.reply.lines import Line, Mark

MOST_LINES = 30
"""More than that below ``--`` is no signature."""

MOST_LINES_BELOW_CLOSING = 10
LONGEST_CLOSING = 60
LONGEST_SENT_FROM = 70

_DELIMITERS = ("--", "---", *DASHES[1:])
_LINK = re.compile(r"<[^<>]{0,300}>|\(https?:[^()]{0,300}\)|https?:\S{1,300}")
_SENTENCE = (",", ";", "!", "?", ". ")


def signature_start(lines: Sequence[Line]) -> int:
    """The line with which the signature begins; the number of lines when there is none."""
    written = [position for position, line in enumerate(lines) if not line.blank]
    for order, position in enumerate(written):
        below = [lines[each] for each in written[order + 1 : order + 2 + MOST_LINES]]
        if _opens(lines[position], below):
            return position
    return len(lines)


def _opens(line: Line, below: Sequence[Line]) -> bool:
    if line.mark is Mark.SIGNATURE:
        return all(each.mark is Mark.SIGNATURE for each in below)
    text = plain(line.text).strip()
    if _is_delimiter(text):
        drawn_again = text != "--" and any(each.text.strip() == text for each in below)
        return 0 < len(below) <= MOST_LINES and not drawn_again
    folded = text.casefold()
    return _is_sent_from(text, folded) or (_is_closing(folded) and _are_of_a_signature(below))


def _is_delimiter(text: str) -> bool:
    return text in _DELIMITERS or (len(text) > 1 and not text.strip("_"))


def _is_sent_from(text: str, folded: str) -> bool:
    if not folded.startswith(SENT_FROM):
        return False
    bare = _LINK.sub("", text).strip()
    return len(bare) <= LONGEST_SENT_FROM and not any(sign in bare for sign in _SENTENCE)


def _is_closing(folded: str) -> bool:
    """ "Kind regards," or "Kind regards, Ann"."""
    if len(folded) > LONGEST_CLOSING or not folded.startswith(CLOSING):
        return False
    closing = next(each for each in CLOSING if folded.startswith(each))
    rest = folded[len(closing) :]
    return not rest.strip(" .,!") or rest[0] == ","


def _are_of_a_signature(below: Sequence[Line]) -> bool:
    if len(below) > MOST_LINES_BELOW_CLOSING:
        return False
    texts = [line.text.strip().casefold() for line in below]
    return not any(text.endswith("?") or text.startswith(("ps", "p.s")) for text in texts)
