"""Takes out of a tree what is not visible, with the elements that were only around it."""

from collections.abc import Iterator, Sequence

from selectolax.lexbor import LexborNode

from deskwire.layout import Layout
from mail_ingest_svc.parse.reply.model import Reply, Span

Place = tuple[LexborNode, int]
"""An element or a text, and the index of its parent."""


def prune(body: LexborNode, layout: Layout, reply: Reply) -> None:
    """Changes the tree; a picture belongs to the text before it."""
    places = list(_in_order(body))
    visible = {
        leaf.mem_id: (whole, part)
        for (_, leaf), whole, part in zip(layout.leaves, *_texts(layout, reply.spans), strict=True)
    }
    keeps, drops = _contents(places, {each: bool(part) for each, (_, part) in visible.items()})
    last_kept = max((at for at, kept in enumerate(keeps) if kept), default=-1)
    gone = set[int]()
    for at, (node, parent) in enumerate(places):
        if parent in gone:
            gone.add(at)
        elif not keeps[at] and (drops[at] or at > last_kept):
            gone.add(at)
            node.decompose()
        elif node.tag == "-text":
            _shorten(node, *visible.get(node.mem_id, ("", "")))


def _shorten(node: LexborNode, whole: str, part: str) -> None:
    if whole.strip() != part.strip():
        node.replace_with(part)


def _in_order(body: LexborNode) -> Iterator[Place]:
    pending: list[Place] = [(body, -1)]
    at = -1
    while pending:
        node, parent = pending.pop()
        at += 1
        yield node, parent
        child = node.last_child
        while child is not None:
            pending.append((child, at))
            child = child.prev


def _texts(layout: Layout, spans: Sequence[Span]) -> tuple[list[str], list[str]]:
    """Of each leaf the whole text, and what of it is visible."""
    starts = [offset for offset, _ in layout.leaves]
    ends = [*starts[1:], len(layout.text)]
    visible = [span for span in spans if span.kind == "visible"]
    parts = []
    for start, end in zip(starts, ends, strict=True):
        while visible and visible[0].end <= start:
            del visible[0]
        parts.append("".join(_overlaps(layout.text, visible, start, end)))
    return [layout.text[s:e] for s, e in zip(starts, ends, strict=True)], parts


def _overlaps(text: str, visible: Sequence[Span], start: int, end: int) -> Iterator[str]:
    for span in visible:
        if span.start >= end:
            return
        yield text[max(start, span.start) : min(end, span.end)]


def _contents(places: Sequence[Place], kept: dict[int, bool]) -> tuple[list[bool], list[bool]]:
    """For each place whether there is something in it that stays, and something that goes."""
    keeps, drops = [False] * len(places), [False] * len(places)
    before = True
    for at, (node, _) in enumerate(places):
        state = before if node.tag == "img" else kept.get(node.mem_id)
        if state is not None:
            before = state
            keeps[at], drops[at] = state, not state
    for at in range(len(places) - 1, 0, -1):
        parent = places[at][1]
        keeps[parent] |= keeps[at]
        drops[parent] |= drops[at]
    return keeps, drops
