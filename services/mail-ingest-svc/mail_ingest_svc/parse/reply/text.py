"""Reads a text as a reply."""

from collections.abc import Iterator, Sequence
from itertools import groupby, repeat

from mail_ingest_svc.parse.reply.lines import Line, lines_of
from mail_ingest_svc.parse.reply.model import Kind, Reply, Span
from mail_ingest_svc.parse.reply.quotes import quoted_lines
from mail_ingest_svc.parse.reply.signatures import signature_start

LEAST = 0.1
"""When less of what is not quoted would be left without the signature, it is shown with it."""


def read_text(text: str, *, forward: bool = False) -> Reply:
    return divided(text, list(lines_of(text)), forward=forward)


def divided(text: str, lines: Sequence[Line], *, forward: bool) -> Reply:
    """``lines`` are those of the text, with what its HTML says of them."""
    quoted, passed_on = quoted_lines(lines, forward=forward)
    kinds = list(_kinds(lines[:passed_on], quoted[:passed_on]))
    kinds += ["visible"] * (len(lines) - passed_on)
    kept = _shown(lines, kinds)
    return Reply(text, tuple(_spans(lines, kept, len(text))), shown_all=kept != kinds)


def _kinds(lines: Sequence[Line], quoted: Sequence[bool]) -> Iterator[Kind]:
    for is_quoted, group in groupby(zip(lines, quoted, strict=True), key=lambda pair: pair[1]):
        part = [line for line, _ in group]
        if is_quoted:
            yield from repeat("quoted", len(part))
        else:
            start = signature_start(part)
            yield from repeat("visible", start)
            yield from repeat("signature", len(part) - start)


def _shown(lines: Sequence[Line], kinds: list[Kind]) -> list[Kind]:
    """Never an empty result, and never one that a wrong guess at a signature has left of it."""
    visible = _size(lines, kinds, "visible")
    if visible and visible >= LEAST * (visible + _size(lines, kinds, "signature")):
        return kinds
    unsigned: list[Kind] = ["visible" if kind == "signature" else kind for kind in kinds]
    return unsigned if _size(lines, unsigned, "visible") else ["visible"] * len(kinds)


def _size(lines: Sequence[Line], kinds: Sequence[Kind], wanted: Kind) -> int:
    return sum(
        len(line.text.strip(" \t-_=*<>|"))
        for line, kind in zip(lines, kinds, strict=True)
        if kind == wanted
    )


def _spans(lines: Sequence[Line], kinds: Sequence[Kind], end: int) -> Iterator[Span]:
    """Runs of one kind; blank lines belong to what is above them."""
    start, running = 0, None
    for line, kind in zip(lines, kinds, strict=True):
        if kind == running or (line.blank and running is not None):
            continue
        if running is not None:
            yield Span(running, start, line.start)
        start, running = line.start if running else 0, kind
    if running is not None:
        yield Span(running, start, end)
