"""What records are found and ordered by: their names and addresses, without case and accents."""

import unicodedata
from collections.abc import Iterable

from pydantic import BaseModel

from gateway.readmodel.lookups import SEPARATOR

SORTED_CHARACTERS = 60
WORD_CHARACTERS = 100


def folded(text: str) -> str:
    """In one line: `Ärzte  GmbH` is `arzte gmbh`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in plain if not unicodedata.combining(c)).split())


def sort_key(name: str) -> str:
    """Enough of it; ids order what is the same so far."""
    return folded(name)[:SORTED_CHARACTERS]


def words(kind: str, record: BaseModel) -> str:
    """Each of the name and the address, with the kind before it: all in one text."""
    texts = [getattr(record, name, None) or "" for name in ("name", "email")]
    return SEPARATOR.join(_marked(kind, " ".join(texts)))


def searched(kind: str, text: str) -> str:
    """A `tsquery` for records that have, for each word, one that begins with it."""
    return " & ".join(f"{_quoted(word)}:*" for word in _marked(kind, text))


def _marked(kind: str, text: str) -> Iterable[str]:
    return (f"{kind}:{word[:WORD_CHARACTERS]}" for word in folded(text).split())


def _quoted(word: str) -> str:
    return "'" + word.replace("\\", "\\\\").replace("'", "''") + "'"
