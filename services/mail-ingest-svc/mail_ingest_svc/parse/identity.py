"""Message ids and dates: what places a mail among others."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from mail_ingest_svc.parse.words import one_line

MAX_REFERENCES = 50
MAX_ID = 500

_BRACKETED = re.compile(rb"<([^<>]{1,2000})>")


def read_ids(raw: bytes) -> tuple[str, ...]:
    """Message ids without their brackets (RFC 5322 section 3.6.4), the last `MAX_REFERENCES`."""
    found = _BRACKETED.findall(raw) or [word for word in raw.split() if b"@" in word]
    ids = (_id(each) for each in found[-MAX_REFERENCES:])
    return tuple(dict.fromkeys(each for each in ids if each))


def _id(raw: bytes) -> str | None:
    text = "".join(one_line(raw.decode("utf-8", "replace")).split()).strip("<>")
    return text if len(text) <= MAX_ID and text.strip("@") else None


def read_message_id(raw: bytes) -> str | None:
    """The only id of a Message-ID; a bare word counts, as some mailers write neither < nor @."""
    ids = read_ids(raw)
    return ids[0] if ids else _id(raw)


def read_date(raw: bytes) -> datetime | None:
    """In UTC; a date without a zone is taken to be in it."""
    try:
        parsed = parsedate_tz(raw[:200].decode("ascii", "ignore"))
        if parsed is None:
            return None
        year, month, day, hour, minute, second = parsed[:6]
        local = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
        return local - timedelta(seconds=parsed[9] or 0)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
