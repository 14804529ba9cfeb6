"""A page that a link in a mail leads to, for people who have nothing but that link.

It is whole in itself: no script, nothing that is loaded, one form that leads back to it.
"""

import base64
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from typing import Any

from babel import negotiate_locale
from jinja2 import Environment, PackageLoader, StrictUndefined

_FOLDER = files("gateway.linked")
_STYLE = _FOLDER.joinpath("page.css").read_text(encoding="utf-8")
_WORDS: dict[str, dict[str, str]] = tomllib.loads(
    _FOLDER.joinpath("words.toml").read_text(encoding="utf-8")
)
LANGUAGES = tuple(_WORDS)
_ENVIRONMENT = Environment(
    loader=PackageLoader("gateway", "linked"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_DIGEST = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class Page:
    """``template`` is its file; ``told`` the word for what has just happened, ``refused``: that it
    did not; ``values``: what the template shows besides."""

    template: str
    language: str
    told: str = ""
    refused: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)

    def html(self) -> str:
        words = _WORDS[self.language]
        return _ENVIRONMENT.get_template(f"{self.template}.html.j2").render(
            language=self.language,
            style=_STYLE,
            words=words,
            told=words[self.told] if self.told else "",
            refused=self.refused,
            **self.values,
        )


def said(language: str, key: str, **values: str) -> str:
    """A sentence of the language with its values."""
    return _WORDS[language][key].format(**values)


def spoken(*wanted: str) -> str:
    """The first of the languages (BCP 47) that there are words in; else English."""
    tags = [tag.strip() for tag in wanted]
    return negotiate_locale(tags, LANGUAGES, sep="-") or "en"
