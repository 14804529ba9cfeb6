"""Letters that the page's font has not, and texts that are written from right to left.

Chinese, Japanese and Korean are in fonts that readers of PDF bring along (the predefined ones of
ISO 32000-1 section 9.7.5.2), since such a font is larger than all of Deskwire.

Hebrew and Arabic come from fonts of their own. ReportLab writes what it is given from left to
right: so a text with words of these is broken into lines here, each of which is then put into the
order in which it is seen (Unicode's annex 9), with Arabic letters joined as they are written.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from unicodedata import bidirectional, east_asian_width
from xml.sax.saxutils import escape

import fontpkg
from arabic_reshaper import reshape
from bidi.algorithm import get_display
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable

Run = tuple[str, str]
"""A font, and what is written in it."""

_RIGHT_TO_LEFT = frozenset({"R", "AL"})
_LETTERS: dict[str, frozenset[int]] = {}


def register(name: str, path: str) -> frozenset[int]:
    """A font that styles may name; returns the letters that it has."""
    font = TTFont(name, path)
    pdfmetrics.registerFont(font)
    _LETTERS[name] = frozenset(font.face.charToGlyph)
    return _LETTERS[name]


_OTHERS = {"Heebo": "Heebo", "Noto Sans Arabic": "NotoSansArabic"}
for _family, _name in _OTHERS.items():
    register(_name, str(fontpkg.path(_family)))


_KOREAN, _JAPANESE, _CHINESE = "HYGothic-Medium", "HeiseiKakuGo-W5", "STSong-Light"
for _name in (_KOREAN, _JAPANESE, _CHINESE):
    pdfmetrics.registerFont(UnicodeCIDFont(_name))

_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
"""What joins letters and turns their direction, where that is done."""

_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")
_KANA = re.compile("[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")


def in_fonts(text: str, font: str) -> str:
    """As ReportLab's markup: letters of East Asia that ``font`` has not are in one that has them.
    Which one follows from the text: what Chinese characters look like differs."""
    other = _KOREAN if _HANGUL.search(text) else _JAPANESE if _KANA.search(text) else _CHINESE
    runs = groupby(
        _UNSEEN.sub("", text),
        key=lambda letter: _is_wide(letter) and ord(letter) not in _LETTERS[font],
    )
    escaped = ((is_other, escape("".join(letters))) for is_other, letters in runs)
    return "".join(
        f'<font name="{other}">{run}</font>' if is_other else run for is_other, run in escaped
    )


def _is_wide(letter: str) -> bool:
    return east_asian_width(letter) in ("W", "F", "H")


def is_right_to_left(text: str) -> bool:
    """Whether any word of it is."""
    return any(bidirectional(letter) in _RIGHT_TO_LEFT for letter in text)


class RightToLeft(Flowable):
    """A text with words from right to left, in the place of a paragraph."""

    def __init__(self, text: str, style: ParagraphStyle) -> None:
        super().__init__()
        self._text, self._style = " ".join(text.split()), style
        self.lines: list[list[Run]] = []

    def wrap(self, width: float, _height: float) -> tuple[float, float]:
        self.lines = [self._runs(line) for line in self._broken(width)]
        self.width, self.height = width, len(self.lines) * self._style.leading
        return self.width, self.height

    def draw(self) -> None:
        style, canvas = self._style, self.canv
        canvas.setFillColor(style.textColor)
        for number, runs in enumerate(self.lines):
            x = self.width - self.width_of(runs) if style.alignment == TA_RIGHT else 0
            y = self.height - style.fontSize - number * style.leading
            for font, text in runs:
                canvas.setFont(font, style.fontSize)
                canvas.drawString(x, y, text)
                x += self.width_of([(font, text)])

    def _broken(self, width: float) -> Iterator[str]:
        """Into lines, in the order in which it is read."""
        line = ""
        for word in self._text.split(" "):
            for piece in self._pieces(word, width):
                longer = f"{line} {piece}" if line else piece
                if line and self.width_of(self._runs(longer)) > width:
                    yield line
                    longer = piece
                line = longer
        yield line

    def _pieces(self, word: str, width: float) -> Iterator[str]:
        """Of a word that is wider than a line."""
        while len(word) > 1 and self.width_of(self._runs(word)) > width:
            fits = max(1, int(len(word) * width / self.width_of(self._runs(word))))
            yield word[:fits]
            word = word[fits:]
        yield word

    def _runs(self, line: str) -> list[Run]:
        """As it is seen."""
        base = "R" if _begins_right(self._text) else "L"
        seen = _UNSEEN.sub("", str(get_display(reshape(line), base_dir=base)))
        fonts = groupby(seen, key=self._font_of)
        return [(font, "".join(letters)) for font, letters in fonts]

    def _font_of(self, letter: str) -> str:
        names = (self._style.fontName, *_OTHERS.values())
        return next((name for name in names if ord(letter) in _LETTERS[name]), names[0])

    def width_of(self, runs: list[Run]) -> float:
        size = self._style.fontSize
        return sum(pdfmetrics.stringWidth(text, font, size) for font, text in runs)


def _begins_right(text: str) -> bool:
    strong = (kind for kind in map(bidirectional, text) if kind in {"L", *_RIGHT_TO_LEFT})
    return next(strong, "L") in _RIGHT_TO_LEFT
