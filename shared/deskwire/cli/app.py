"""A command line whose failures are one line on standard error and exit code 1."""

import os
import sys
import traceback
from typing import Any

import typer

from deskwire.errors import DeskwireError


class App(typer.Typer):
    def __init__(self, purpose: str) -> None:
        super().__init__(help=purpose, no_args_is_help=True, add_completion=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except Exception as error:
            if os.environ.get("DESKWIRE_LOG_LEVEL") == "DEBUG":
                traceback.print_exception(error)
            sys.stderr.write(f"deskwire: {reason(error)}\n")
            raise SystemExit(1) from None


def reason(error: Exception) -> str:
    """An error in one line. What is ours says all itself; of others the kind helps."""
    words = " ".join(str(error).split())
    if isinstance(error, DeskwireError):
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
