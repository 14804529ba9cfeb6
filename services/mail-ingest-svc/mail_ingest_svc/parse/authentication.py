"""What our own mail server has found of the sender (RFC 8601): DMARC, or its domain's DKIM or SPF.

Only fields with our server's name count, and of each method the first result: servers write theirs
above what came with the mail, and must remove what came with their name.
"""

import re
from collections.abc import Iterator

from deskwire.contracts.mail import Address, Authentication
from mail_ingest_svc.parse.headers import MAX_STRUCTURED, Headers
from mail_ingest_svc.parse.words import one_line

MAX_RESULTS = 50

_METHOD = re.compile(r"(\w+)(?:/\d+)?\s*=\s*(\w+)")
_DOMAINS = {
    "dkim": re.compile(r"header\.(?:d|i)\s*=\s*\"?(?:[^\s@;\"]*@)?([^\s;\"]+)"),
    "spf": re.compile(r"smtp\.(?:mailfrom|mfrom)\s*=\s*\"?(?:[^\s@;\"]*@)?([^\s;\"]+)"),
    "dmarc": re.compile(r"header\.from\s*=\s*\"?(?:[^\s@;\"]*@)?([^\s;\"]+)"),
}


def read_authentication(
    headers: Headers, authserv_id: str, sender: Address | None
) -> Authentication:
    """``none`` without a name for our server, or without one sender."""
    if not authserv_id or sender is None:
        return "none"
    domain = sender.email.rpartition("@")[2].lower()
    found: dict[str, tuple[str, str]] = {}
    for method, result, told in _results(headers, authserv_id.lower()):
        found.setdefault(method, (result, told))
    result, told = found.get("dmarc", ("none", ""))
    if result == "fail":
        return "fail"
    if result == "pass":
        return "pass" if told in ("", domain) else "none"
    return "pass" if any(_aligned(domain, each) for each in _vouching(found)) else "none"


def _vouching(found: dict[str, tuple[str, str]]) -> Iterator[str]:
    for method in ("dkim", "spf"):
        result, domain = found.get(method, ("none", ""))
        if result == "pass" and domain:
            yield domain


def _aligned(sender: str, vouching: str) -> bool:
    """A domain vouches for what is below it (relaxed alignment, RFC 7489 section 3.1)."""
    return sender == vouching or ("." in vouching and sender.endswith(f".{vouching}"))


def _results(headers: Headers, authserv_id: str) -> Iterator[tuple[str, str, str]]:
    """Method, result, and the domain that it is of. Of a field that is broken nobody knows what its
    server meant: it may have said that the sender is forged."""
    for field in headers.all("authentication-results")[:MAX_RESULTS]:
        text = one_line(field[:MAX_STRUCTURED].decode("ascii", "replace")).lower()
        plain = _plain(text)
        name, _, rest = (text if plain is None else plain).partition(";")
        if name.split()[:1] != [authserv_id]:
            continue
        if plain is None:
            yield "dmarc", "fail", ""
            continue
        for part in rest.split(";")[:MAX_RESULTS]:
            method = _METHOD.match(part.strip())
            if method and method[1] in _DOMAINS:
                domain = _DOMAINS[method[1]].search(part)
                yield method[1], method[2], domain[1] if domain else ""


def _plain(text: str) -> str | None:
    """Without comments, which nest, and with only what addresses are made of from quoted strings
    (RFC 5322 section 3.2): servers quote what senders call themselves, which may look like results.
    None when one of them has no end."""
    kept, depth, quoted = [], 0, False
    characters = iter(text)
    for character in characters:
        if character == "\\":
            next(characters, "")
        elif quoted:
            quoted = character != '"'
            kept.append(character if character.isalnum() or character in "@.-_" else "")
        elif character in "()":
            depth = max(0, depth + (1 if character == "(" else -1))
            kept.append(" ")
        elif depth == 0:
            quoted = character == '"'
            kept.append("" if quoted else character)
    return None if depth or quoted else "".join(kept)
