"""Decides which lines are quoted."""

from collections.abc import Sequence

from mail_ingest_svc.parse.reply.attributions import attribution
from mail_ingest_svc.parse.reply.headers import (
    is_delimiter,
    is_forwarded,
    is_header_block,
    is_original,
    is_rule,
)
from mail_ingest_svc.parse.reply.lines import Line, Mark

_LONG = 60


def quoted_lines(lines: Sequence[Line], *, forward: bool) -> tuple[list[bool], int]:
    """For each line whether it is quoted, and with which line a mail begins that is passed on,
    which is not; the number of lines when there is none."""
    quoted = [False] * len(lines)
    following = _next_written(lines)
    position = 0
    while position < len(lines):
        if lines[position].blank:
            position += 1
            continue
        if is_forwarded(lines[position]) and not _is_inside(lines, position):
            return quoted, position
        first = _beginning_of_rest(lines, position)
        if first is not None and forward:
            return quoted, first
        if first is not None:
            quoted[first:] = [True] * (len(lines) - first)
            break
        position = _read(lines, position, following[position], quoted)
    if not any(quoted):
        quoted = [line.mark is Mark.BLOCK for line in lines]
    return quoted, len(lines)


def _next_written(lines: Sequence[Line]) -> list[int]:
    """For each line the next one that is not blank."""
    following = [len(lines)] * len(lines)
    for position in range(len(lines) - 2, -1, -1):
        after = position + 1
        following[position] = following[after] if lines[after].blank else after
    return following


def _is_inside(lines: Sequence[Line], position: int) -> bool:
    """Of a quotation that has begun before."""
    return lines[position].quoted and position > 0 and lines[position - 1].quoted


def _beginning_of_rest(lines: Sequence[Line], position: int) -> int | None:
    """Where a quotation that goes on to the end begins, when this line opens one. One that is
    marked line by line ends by itself, and may be answered below."""
    line = lines[position]
    if line.quoted and any(after.quoted for after in lines[position + 1 : position + 3]):
        return None
    if line.mark is Mark.CUT or is_delimiter(line) or is_original(line):
        return _above(lines, position)
    if not line.quoted and is_header_block(lines, position):
        return _above(lines, position)
    return None


def _above(lines: Sequence[Line], position: int) -> int:
    """With the rules drawn above it."""
    while position and (lines[position - 1].blank or is_rule(lines[position - 1])):
        position -= 1
    return position


def _read(lines: Sequence[Line], position: int, following: int, quoted: list[bool]) -> int:
    """Marks what ends with this line; the next one to look at."""
    if lines[position].quoted or _is_rest_of_quoted(lines, position):
        quoted[position] = True
        return position + 1
    quote_follows = following < len(lines) and _is_quote(lines[following])
    first = attribution(lines, position, quote_follows=quote_follows)
    if first is None:
        return position + 1
    if lines[first].mark is Mark.BLOCK:
        first = _beginning_of_block(lines, first)
    end = _end_of_quote(lines, following) if quote_follows else len(lines)
    quoted[first:end] = [True] * (end - first)
    return end


def _is_quote(line: Line) -> bool:
    return line.quoted or line.mark is Mark.BLOCK


def _beginning_of_block(lines: Sequence[Line], position: int) -> int:
    """A block quotation with an attribution in it is quoted from its beginning."""
    while position and (lines[position - 1].blank or lines[position - 1].mark is Mark.BLOCK):
        position -= 1
    return position


def _end_of_quote(lines: Sequence[Line], position: int) -> int:
    while position < len(lines) and (lines[position].blank or _is_quote(lines[position])):
        position += 1
    return position


def _is_rest_of_quoted(lines: Sequence[Line], position: int) -> bool:
    """The end of a quoted line that some program broke into two, marking only the first half."""
    if not 0 < position < len(lines) - 1:
        return False
    before, line, after = lines[position - 1 : position + 2]
    if line.blank or not (before.quoted and after.quoted):
        return False
    first = line.text.lstrip()[0]
    broken = len(before.text) >= _LONG or before.text.rstrip()[-1:] not in ".?!:…>"
    return broken and (first.islower() or not first.isalnum())
