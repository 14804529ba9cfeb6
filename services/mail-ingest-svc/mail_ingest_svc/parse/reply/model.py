"""What is known of a mail's text after it was read as a reply."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["visible", "quoted", "signature"]


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end`` of the whole text."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole text, and which of it is what: the spans are in order and leave no gap.

    ``html`` is the markup of the visible part, harmless. ``shown_all``: so little would have been
    left that more of it, or all, was called visible.
    """

    text: str
    spans: tuple[Span, ...]
    html: str | None = None
    shown_all: bool = False

    @property
    def visible(self) -> str:
        return self._all("visible")

    @property
    def quoted(self) -> str:
        return self._all("quoted")

    @property
    def signature(self) -> str:
        return self._all("signature")

    def _all(self, kind: Kind) -> str:
        return "\n\n".join(part for part in self._parts(kind) if part)

    def _parts(self, kind: Kind) -> Iterator[str]:
        for span in self.spans:
            if span.kind == kind:
                yield self.text[span.start : span.end].strip("\n").rstrip()
