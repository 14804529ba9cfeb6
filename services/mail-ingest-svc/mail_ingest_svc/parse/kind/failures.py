"""Finds in the words of a bounce who did not get the mail, where no report for machines says it."""

import re
from collections.abc import Iterator, Sequence

from mail_ingest_svc.parse.kind.reports import MAX_RECIPIENTS, Report

MAX_WORDS = 32_768

# What follows is the returned mail, whose words say nothing of the failure.
_RETURNED = re.compile(
    r"^[ \t]*(?:[-=*]+[ \t]*)?(?:this is a copy of (?:the|your) message|below is a copy"
    r"|below this line|enclosed is a copy|original message|(?:the )?(?:message )?headers? (?:of the"
    r" original|follow)|returned message|unsent message|original mail info|forwarded message"
    r"|message details|your original message|le message d.origine|nachrichtentext|return-path:"
    r"|received: )",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = r"(?P<address>[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255}[\w])"
_BEFORE = (
    r"(?:recipient|address|user|userid|errors?|rcpt to|undeliverable to"
    r"|(?:delivered|mail|message) to)"
)
_SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    for pattern in (
        # A line of its own, or one that begins with it and goes on with the reason.
        rf"^[ \t>]*<?{_ADDRESS}>?[ \t]*(?:$|:|<mailto:|\[|\.\.\.|[ \t]on[ \t]|[ \t]<)",
        rf"^[ \t>]*(?:[45]\d\d )?<{_ADDRESS}>\.\.\.",
        rf"{_BEFORE}:?[ \t]+<?{_ADDRESS}",
        rf"{_ADDRESS}",
    )
)
_HELP = re.compile(r"(?:contact|assistance|support|from:?|message-id:)[^\n@]{0,60}$", re.IGNORECASE)


def before_the_returned_mail(text: str) -> str:
    mark = _RETURNED.search(text, 1, MAX_WORDS)
    return text[: mark.start()] if mark else text[:MAX_WORDS]


def failures_in_text(words: str, known: Sequence[str], own: Sequence[str]) -> list[Report]:
    """``known``: who is named as failed in a header; ``own``: to whom the bounce itself went."""
    places = list(_places(words, known, own))
    if len(places) < 2:
        addresses = [address for address, _ in places] or known[:MAX_RECIPIENTS] or [""]
        return [Report(address, "", "", words.strip()) for address in addresses]
    ends = [start for _, start in places[1:]] + [len(words)]
    return [
        Report(address, "", "", words[start:end].strip())
        for (address, start), end in zip(places, ends, strict=True)
    ]


def _places(words: str, known: Sequence[str], own: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Each failed address, and where what is said of it begins."""
    if known:
        lower = words.lower()
        at = {address: lower.find(address.lower()) for address in known[:MAX_RECIPIENTS]}
        yield from sorted(
            ((address, start) for address, start in at.items() if start >= 0),
            key=lambda place: place[1],
        )
        return
    ours = {address.lower() for address in own}
    for sign in _SIGNS:
        found = list(_found(sign, words))
        failed = [place for place in found if place[0].lower() not in ours] or found
        if failed:
            yield from failed
            return


def _found(sign: re.Pattern[str], words: str) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for match in sign.finditer(words):
        address = match["address"]
        asked = _HELP.search(words, max(0, match.start() - 80), match.start("address"))
        if address.lower() not in seen and not asked and len(seen) < MAX_RECIPIENTS:
            seen.add(address.lower())
            yield address, match.start()
