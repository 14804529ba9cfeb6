"""The words of `languages.toml`, of all languages at once: a mail need not say which it is in."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

_TABLE = files(__package__).joinpath("languages.toml").read_text(encoding="utf-8")
_LANGUAGES: Mapping[str, Mapping[str, Any]] = tomllib.loads(_TABLE)

_TURNS = (*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_PLAIN = {**dict.fromkeys(_TURNS), 0xFF1A: ":", 0xA0: " "}
_LONGEST = 400

COLONS = (":", "\uff1a")
DASHES = "-\u2013\u2014"


def plain(line: str) -> str:
    """As it is compared: one kind of space and colon, no marks that turn the direction."""
    short = line[:_LONGEST]
    return short if short.isascii() else short.translate(_PLAIN)


def _all(key: str) -> set[str]:
    return {word for language in _LANGUAGES.values() for word in language.get(key, ())}


def _folded(key: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _all(key))


def _by_length(words: Iterable[str]) -> list[str]:
    return sorted(words, key=lambda word: (-len(word), word))


def _words(key: str) -> "Words":
    spaced, glued = set[str](), set[str]()
    for language in _LANGUAGES.values():
        (spaced if language.get("spaced", True) else glued).update(language.get(key, ()))
    return Words(spaced, glued)


class Words:
    """Finds any of the words. Those of languages with spaces are found as whole words only."""

    def __init__(self, spaced: set[str], glued: set[str]) -> None:
        self._glued = {word.casefold() for word in glued}
        every = self._glued | {word.casefold() for word in spaced}
        # Without boundaries in the pattern the engine looks for first letters only, which is fast.
        self._pattern = re.compile("|".join(map(re.escape, _by_length(every))))

    def search(self, folded: str, start: int = 0) -> re.Match[str] | None:
        """The first of them, in a text that is casefolded."""
        return next(filter(self._is_whole, self._pattern.finditer(folded, start)), None)

    def match(self, folded: str, start: int = 0) -> re.Match[str] | None:
        found = self._pattern.match(folded, start)
        return found if found and self._is_whole(found) else None

    def _is_whole(self, found: re.Match[str]) -> bool:
        if found[0] in self._glued:
            return True
        before = found.string[found.start() - 1 : found.start()]
        after = found.string[found.end() : found.end() + 1]
        return not (_is_letter(before) or _is_letter(after))


def _is_letter(char: str) -> bool:
    return char.isalnum() or char == "_"


WROTE = _words("wrote")
WROTE_AT_END = tuple(_by_length(_folded("wrote")))
_ON = _words("on")


def begins_with_on(folded: str, within: int) -> bool:
    """Whether it begins with "On" or the like and has a number so many characters after it."""
    on = _ON.match(folded)
    if on is None or folded[on.end() : on.end() + 1] in {"-", "@", "_", "."}:
        return False
    return any(char.isdigit() for char in folded[on.end() : on.end() + within])


KINDS_OF_LABEL: Mapping[str, str] = {
    label.casefold(): kind
    for kind in ("cc", "subject", "to", "date", "from")
    for label in _all(kind)
}
"""Which field a header block's label names."""

_INSIDE = "|".join(
    re.escape(label) for label in _by_length(KINDS_OF_LABEL) if KINDS_OF_LABEL[label] != "cc"
)
LABEL_INSIDE = re.compile(rf"[\s>]({_INSIDE}) ?:")
ORIGINAL = _folded("original")
FORWARDED = tuple(_by_length(_folded("forwarded")))
FORWARD_PREFIXES = _folded("forward")
SENT_FROM = tuple(_by_length(_folded("sent_from")))
CLOSING = tuple(_by_length(_folded("closing")))
