"""What mails say: sentences in `languages/<language>.toml`, and templates that put them together.

The sentences of a mail are in the table of its name; `lead_replied` goes before `lead` in the
variant `replied`. A name in braces is a value. The templates of all mails of an audience are in
`templates/<audience>/{body.txt,body.html.j2}`. An operator's folder is laid out alike and goes
before: it may have some sentences, other languages, or `templates/<mail>/` for one mail alone.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale, UnknownLocaleError
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from jinja2 import Template as JinjaTemplate
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup, escape

from deskwire.errors import SetupError
from notify_svc.domain.mails import CLIENT_TEMPLATES, Template

PACKAGE = Path(__file__).parents[1]
FALLBACK = "en"

_VALUE = re.compile(r"\{(\w*)\}")

Values = Mapping[str, Any]
Catalogue = Mapping[str, Any]


class NotSaid(Exception):
    """A sentence or a value that a mail needs is not there."""


def audience(template: Template) -> str:
    if template in CLIENT_TEMPLATES:
        return "client"
    return "digest" if template == "digest" else "agent"


class Wording:
    def __init__(self, folder: Path | None = None) -> None:
        """``folder`` is the operator's. Raises `SetupError` when a file of it cannot be read."""
        if folder and not folder.is_dir():
            raise SetupError(f"DESKWIRE_TEMPLATES: there is no folder {folder}")
        folders = [folder, PACKAGE] if folder else [PACKAGE]
        loader = ChoiceLoader([FileSystemLoader(each / "templates") for each in folders])
        self.languages: Mapping[str, Catalogue] = _catalogues(folders)
        self._environment = _environment(loader)
        self._found: dict[tuple[str, str], JinjaTemplate] = {}

    def of(self, template: Template, language: str) -> "Sentences":
        """In that language, in ``de`` for ``de-AT``, or in English."""
        for tag in (language, language.partition("-")[0], FALLBACK):
            if catalogue := self.languages.get(tag.casefold()):
                return Sentences(template, tag.partition("-")[0].lower(), catalogue)
        raise NotSaid(f"there is no language {FALLBACK}")

    def filled(self, template: Template, file: str, values: Values) -> str:
        """The mail's own template, or that of its audience."""
        if (template, file) not in self._found:
            names = [f"{template}/{file}", f"{audience(template)}/{file}"]
            self._found[template, file] = self._environment.select_template(names)
        return self._found[template, file].render(values)


@dataclass(frozen=True)
class Sentences:
    """What one mail says in one language."""

    template: Template
    language: str
    catalogue: Catalogue

    def find(self, key: str, variant: str = "") -> Any:
        """The mail's own before what all say. Raises `NotSaid`."""
        own = self.catalogue.get(self.template, {})
        for name in (f"{key}_{variant}", key):
            if name in own:
                return own[name]
        if key in self.catalogue:
            return self.catalogue[key]
        raise NotSaid(f"languages/{self.language}.toml: [{self.template}] has no {key}")

    def say(self, key: str, values: Values) -> str:
        """The sentence with its values; of plural forms the one for ``count``."""
        found = self.find(key, values.get("variant", ""))
        if isinstance(found, dict):
            form = _locale(self.language).plural_form(values["count"])
            found = found.get(form) or found["other"]
        if "{" not in found:
            return str(found)
        return _VALUE.sub(lambda match: str(self._value(key, match[1], values)), found)

    def say_html(self, key: str, values: Values) -> Markup:
        """As `say`; sentences and values are text."""
        return escape(self.say(key, values))

    def _value(self, key: str, name: str, values: Values) -> Any:
        if name not in values:
            raise NotSaid(
                f"languages/{self.language}.toml: [{self.template}] {key}: there is no {{{name}}}"
            )
        return values[name]


def _catalogues(folders: list[Path]) -> dict[str, Catalogue]:
    """By language; a folder's sentences go before those of the folders behind it."""
    found: dict[str, Catalogue] = {}
    for folder in reversed(folders):
        for path in sorted((folder / "languages").glob("*.toml")):
            language = path.stem.casefold()
            found[language] = _over(_read(path), found.get(language) or found.get(FALLBACK, {}))
    return found


def _read(path: Path) -> Catalogue:
    try:
        Locale.parse(path.stem.partition("-")[0])
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, UnknownLocaleError) as error:
        raise SetupError(f"{path}: {error}") from error


def _over(first: Catalogue, then: Catalogue) -> Catalogue:
    tables = {key: then[key] | first[key] for key in first if isinstance(then.get(key), dict)}
    return {**then, **first, **tables}


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)


def _environment(loader: ChoiceLoader) -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=loader,
        auto_reload=False,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
