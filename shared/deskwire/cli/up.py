"""`deskwire up`: everything on this machine, from a checkout."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deskwire.errors import SetupError


def up(
    *,
    port: Annotated[int, typer.Option(envvar="PORT", help="Where the API listens.")] = 8080,
    var: Annotated[Path, typer.Option(envvar="VAR", help="The folder of all data.")] = Path("var"),
    broker: Annotated[
        str, typer.Option(envvar="BROKER", help="memory, rabbitmq (a private node) or amqp://...")
    ] = "memory",
) -> None:
    """Run all services on this machine; Ctrl-C stops them."""
    script = str(checkout() / "deploy" / "embedded.py")
    options = ["--port", str(port), "--var", str(var), "--broker", broker]
    os.execv(sys.executable, [sys.executable, script, *options])  # noqa: S606 # our own script


def checkout() -> Path:
    """The folder of the source tree that this package runs from."""
    root = Path(__file__).parents[3]
    if not (root / "deploy" / "embedded.py").exists():
        raise SetupError("this command needs the checkout of Deskwire, not its installed packages")
    return root
