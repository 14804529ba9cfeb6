"""Reads ``type; name=value`` headers, with the split and percent-coded values of RFC 2231."""

import re
from urllib.parse import unquote_to_bytes

from mail_ingest_svc.parse.charsets import decode
from mail_ingest_svc.parse.headers import MAX_STRUCTURED
from mail_ingest_svc.parse.words import decode_words, one_line

MAX_PARAMETERS = 200

_PARAMETER = re.compile(
    rb";\s*(?P<name>[^\s=;*]{1,64})(?:\*(?P<number>\d{1,3}))?(?P<coded>\*)?\s*=\s*"
    rb'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?|(?P<bare>[^;]*))',
    re.DOTALL,
)
_ESCAPED = re.compile(rb'\\(["\\])')

_Segment = tuple[int, bool, bytes]


def read_parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """The first word in lower case, and the parameters by lower-case name."""
    head, _, _ = value[:MAX_STRUCTURED].partition(b";")
    plain: dict[str, str] = {}
    split: dict[str, list[_Segment]] = {}
    for count, found in enumerate(_PARAMETER.finditer(value[:MAX_STRUCTURED])):
        if count == MAX_PARAMETERS:
            break
        name = found["name"].decode("ascii", "replace").lower()
        if found["number"] or found["coded"]:
            segment = (int(found["number"] or 0), bool(found["coded"]), _value(found))
            split.setdefault(name, []).append(segment)
        else:
            plain.setdefault(name, _text(name, _value(found)))
    return _word(head), plain | {name: _joined(name, split[name]) for name in split}


def _word(head: bytes) -> str:
    words = one_line(decode(head)).lower().split()
    return words[0] if words else ""


def _text(name: str, value: bytes) -> str:
    # A boundary is compared byte by byte; all else is for people.
    return value.decode("latin-1") if name == "boundary" else decode_words(value)


def _value(found: re.Match[bytes]) -> bytes:
    if found["quoted"] is None:
        return found["bare"].strip()
    return _ESCAPED.sub(rb"\1", found["quoted"])


def _joined(name: str, segments: list[_Segment]) -> str:
    charset = b""
    data = b""
    for position, (_, coded, value) in enumerate(sorted(segments, key=lambda s: s[0])):
        text = value
        if coded and position == 0 and value.count(b"'") >= 2:
            charset, _, text = value.split(b"'", 2)
        data += unquote_to_bytes(text) if coded else text
    if name == "boundary":
        return data.decode("latin-1")
    return one_line(decode(data, charset.decode("ascii", "replace")))
