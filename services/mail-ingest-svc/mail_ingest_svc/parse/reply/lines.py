"""A text as lines, with what is known of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from mail_ingest_svc.parse.reply.languages import COLONS, WROTE, WROTE_AT_END, begins_with_on, plain


class Mark(Enum):
    """What the HTML says of a line."""

    QUOTE = auto()
    """A mail program has marked it as quoted."""
    BLOCK = auto()
    """In a block quotation, which may be one of the person's own."""
    CUT = auto()
    """The quotation begins here and goes on to the end."""
    SIGNATURE = auto()


@dataclass(slots=True)
class Line:
    """``arrow``: it begins with the ``>`` of quotations."""

    start: int
    text: str
    arrow: bool
    mark: Mark | None = None

    @property
    def blank(self) -> bool:
        return not self.text or self.text.isspace()

    @property
    def quoted(self) -> bool:
        """Marked as quoted in itself, without regard to the lines around it."""
        return self.arrow or self.mark is Mark.QUOTE


MOST_LINES = 5_000
"""Nobody writes more. What follows is taken for one line, so it is what the last line is."""

LONGEST, LONGEST_GLUED = 400, 200
_DECORATED = "<<"
_GAP = re.compile(r"(?<=\S)[\s-]*[\s-](?=\w)")


def lines_of(text: str) -> Iterator[Line]:
    """All lines; one in which an attribution stands behind other words is two."""
    start = 0
    pieces = text.split("\n", MOST_LINES)
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        cut = _glued(piece) if following.startswith(">") else 0
        if cut:
            yield _line(start, piece[:cut])
        yield _line(start + cut, piece[cut:])
        start += len(piece) + 1


def _line(start: int, piece: str) -> Line:
    text = piece.rstrip("\r")
    return Line(start, text, _has_arrow(text.lstrip(" \t")))


def _has_arrow(text: str) -> bool:
    """It may also be the end of an address that was broken into two lines."""
    if not text.startswith(">") or text.endswith(_DECORATED):
        return False
    if len(text) > LONGEST or not text.endswith(COLONS):
        return True
    rest = plain(text).lstrip("> ").rstrip(" :").casefold()
    return rest != "" and rest not in WROTE_AT_END


def _glued(piece: str) -> int:
    """Where in "Yes. On 3 May 2024, Ann wrote:" the attribution begins; 0 if it does not."""
    text = piece.rstrip()
    if len(text) > LONGEST_GLUED or not text.endswith(COLONS):
        return 0
    if not WROTE.search(text[-40:].casefold()):
        return 0
    gaps = _GAP.finditer(text.partition("@")[0])
    return next((gap.start() for gap in gaps if _dates(text[gap.end() :])), 0)


def _dates(text: str) -> bool:
    return not text[0].islower() and begins_with_on(text[:30].casefold(), 20)
