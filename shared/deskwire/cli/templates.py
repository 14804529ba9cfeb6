"""`deskwire templates`: what mails say and how they look, before anybody gets them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from deskwire.cli.app import App
from deskwire.cli.environment import variable
from deskwire.cli.output import say
from deskwire.errors import SetupError
from deskwire.services import NOTIFY_SVC

app = App("What mails say and how they look.")

Templates = Annotated[
    Path | None, typer.Option("--templates", help="Instead of DESKWIRE_TEMPLATES.")
]


@app.command("check")
def check(*, templates: Templates = None) -> None:
    """Write every mail in every language with sample data; what is wrong is told in one line."""
    wording = _wording(templates)
    mails = NOTIFY_SVC.module("rendering.previews").check(wording)
    say(f"{mails} mails in {', '.join(sorted(wording.languages))} can be written")


@app.command("preview")
def preview(folder: Path, *, language: str = "en", templates: Templates = None) -> None:
    """Write every mail as a page into a folder, and index.html that shows them all."""
    wording = _wording(templates)
    if language.casefold() not in wording.languages:
        known = ", ".join(sorted(wording.languages))
        raise SetupError(f"there is no language {language}: choose among {known}")
    index, *_ = NOTIFY_SVC.module("rendering.previews").write(wording, language, folder)
    say(f"wrote {index}")


def _wording(templates: Path | None) -> Any:
    told = variable("TEMPLATES")
    folder = templates or (Path(told) if told else None)
    return NOTIFY_SVC.module("rendering.wording").Wording(folder)
