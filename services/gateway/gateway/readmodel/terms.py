"""What people type into a search: words, "phrases", -words."""

import re
import string
from dataclasses import dataclass

SHORTEST_BEGINNING = 3

_UNSPACED = re.compile("[\u0e00-\u0e7f\u2e80-\u9fff\uf900-\ufaff]")
"""Letters of Thai, Chinese and Japanese, which have no blanks between words: each is a word, and
what is looked for is a phrase of them. The function `search_words` has the same ones."""

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_BLANKS = str.maketrans(dict.fromkeys(string.punctuation + "\0", " "))


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, as `to_tsquery` reads it: with whole words; or with all ``others`` and
    the last one as the beginning of one, if it may be; and what a ticket must not have."""

    whole: str
    others: str
    beginning: str
    without: str


def parse(q: str) -> Search | None:
    """None when nothing is looked for."""
    whole: list[str] = []
    without: list[str] = []
    beginning = ""
    for minus, phrase, word in _TERM.findall(q):
        term = " ".join(_spaced(phrase or word).split())
        if any(letter.isalnum() for letter in term):
            (without if minus else whole).append(f"'{term}'")
            beginning = "" if minus or phrase else _beginning(term)
    if not whole:
        return None
    others = whole[:-1] if beginning else []
    return Search(" & ".join(whole), " & ".join(others), beginning, " | ".join(without))


def _spaced(text: str) -> str:
    return _UNSPACED.sub(r" \g<0> ", text.translate(_BLANKS))


def _beginning(term: str) -> str:
    """The term with its last word as the beginning of one; numbers are whole."""
    *before, last = term.split()
    if len(last) < SHORTEST_BEGINNING or last.isdigit():
        return ""
    return " <-> ".join([*(f"'{word}'" for word in before), f"'{last}':*"])
