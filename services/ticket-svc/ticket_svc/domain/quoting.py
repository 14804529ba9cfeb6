"""What a mail quotes of the message that it answers: enough to know it again."""

import re

LONGEST, MOST_LINES = 1_000, 20
"""Characters and lines; what is longer is cut."""

_LAST_WORD = re.compile(r"\s\S{0,40}\Z")


def beginning(text: str) -> str:
    """At most so much of a text, up to the end of a word, with a mark where it goes on."""
    whole = text.strip()
    short = "\n".join(whole.split("\n", MOST_LINES)[:MOST_LINES])
    if len(short) > LONGEST:
        short = _LAST_WORD.sub("", short[:LONGEST])
    return whole if short == whole else f"{short.rstrip()} …"
