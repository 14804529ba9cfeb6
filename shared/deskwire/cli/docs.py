"""`deskwire docs`: the documents that are made from the code."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from deskwire.cli.output import say
from deskwire.cli.up import checkout
from deskwire.errors import SetupError
from deskwire.services import GATEWAY, NOTIFY_SVC


def docs(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing, fail on a stale one.")
    ] = False,
    folder: Annotated[Path | None, typer.Option(help="Where; docs of the checkout.")] = None,
) -> None:
    """Write asyncapi.json, mails.html, messages.md and openapi.json."""
    place = folder or checkout() / "docs"
    fresh = {place / name: text for name, text in _documents().items()}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_text() != text]
    if check and stale:
        names = ", ".join(path.name for path in stale)
        raise SetupError(f"{names} in {place} is stale: run `deskwire docs`")
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fresh[path])
        say("wrote", path)
    if not stale:
        say("fresh:", *(path.name for path in fresh))


def _documents() -> dict[str, str]:
    from deskwire.asyncapi import asyncapi_document
    from deskwire.messages import messages_page

    wording = NOTIFY_SVC.module("rendering.wording").Wording()
    return {
        "asyncapi.json": _json(asyncapi_document()),
        "mails.html": NOTIFY_SVC.module("rendering.previews").page(wording, "en"),
        "messages.md": messages_page(),
        "openapi.json": _json(GATEWAY.module("api").openapi_document()),
    }


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
