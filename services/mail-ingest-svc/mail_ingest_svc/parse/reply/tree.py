"""Reads HTML as a reply: what its tree says of quotations counts as much as a `>` in a text."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace

from selectolax.lexbor import LexborNode

from deskwire.html import clean_html, clean_text, parsed, text_of, too_large, without_data
from deskwire.layout import Layout, children, lay_out
from mail_ingest_svc.parse.reply.lines import Line, Mark, lines_of
from mail_ingest_svc.parse.reply.marks import mark_of
from mail_ingest_svc.parse.reply.model import Reply
from mail_ingest_svc.parse.reply.prune import prune
from mail_ingest_svc.parse.reply.text import divided, read_text

_BULLET = "- "


def read_html(html: str, *, forward: bool = False) -> Reply:
    slim = without_data(clean_text(html))
    body = None if too_large(slim) else parsed(slim)
    if body is None:
        return replace(read_text(text_of(slim), forward=forward), html=clean_html(slim))
    layout = lay_out(body)
    lines = list(lines_of(layout.text))
    _mark(lines, layout, list(_marks(body, layout)))
    reply = divided(layout.text, lines, forward=forward)
    if all(span.kind == "visible" for span in reply.spans):
        return replace(reply, html=clean_html(slim))
    prune(body, layout, reply)
    return replace(reply, html=clean_html(body.inner_html or ""))


def _marks(body: LexborNode, layout: Layout) -> Iterator[Mark | None]:
    """For each leaf the mark of the outermost element around it that has one."""
    leaves = {leaf.mem_id for _, leaf in layout.leaves}
    pending: list[tuple[LexborNode, Mark | None]] = [(body, None)]
    cut = False
    while pending:
        node, mark = pending.pop()
        if node.tag == "-text":
            if node.mem_id in leaves:
                yield Mark.CUT if cut else mark
                cut = False
            continue
        if mark is None or mark is Mark.BLOCK:
            own = mark_of(node) or mark
            cut = cut or own is Mark.CUT
            mark = None if own is Mark.CUT else own
        pending.extend((child, mark) for child in children(node))


def _mark(lines: Sequence[Line], layout: Layout, marks: Sequence[Mark | None]) -> None:
    """A line is what its first leaf is, or goes on with the leaf before it."""
    offsets = [offset for offset, _ in layout.leaves]
    for line in lines:
        leaf = bisect_left(offsets, line.start)
        indent = len(line.text) - len(line.text.removeprefix(_BULLET).lstrip())
        if leaf == len(offsets) or offsets[leaf] > line.start + indent:
            leaf -= 1
        if leaf >= 0 and not line.blank:
            line.mark = marks[leaf]
