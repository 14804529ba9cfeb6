"""A mail-ingest-svc that kills itself at a step of a mail's way."""

import inspect
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from deskwire.contracts.mail import MailHandled
from deskwire.messaging import handling, outbox
from mail_ingest_svc import handlers, main
from mail_ingest_svc.mailbox import imap, intake, prepare, taking

STEPS = {
    "claimed": (intake.Intake, "_take", "before"),
    "fetched": (intake.Intake, "_fetch", "after"),
    "kept": (prepare.Preparing, "_keep", "after"),
    "parsed": (prepare.Preparing, "all", "after"),
    "before the commit": (outbox, "write", "after"),
    "committed": (taking.Taking, "_commit", "after"),
    "moved": (imap.ImapMailbox, "move", "after"),
    "published": (outbox.Outbox, "_publish_in_order", "after"),
    "told of": (handlers, "close_mail", "before"),
    "handled": (handling.Handling, "_remember", "after"),
}
"""Of the way of a mail: a function, and whether the process dies before or after it."""


def ingest(told: Mapping[str, str], step: str = "", calls: int = 0) -> None:
    """Runs until SIGTERM, or until the step is reached so often."""
    os.environ.update(told)
    if step:
        owner, name, when = STEPS[step]
        deadly = _deadly(getattr(owner, name), when, calls)
        setattr(owner, name, deadly)
        if owner is handlers:
            vars(main)["HANDLERS"] = {**handlers.HANDLERS, MailHandled: deadly}
    main.main()


def _deadly(original: Callable[..., Any], when: str, calls: int) -> Callable[..., Any]:
    left = calls

    def die(at: str) -> None:
        nonlocal left
        left -= at == when
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def awaited(*arguments: Any) -> Any:
        die("before")
        answer = await original(*arguments)
        die("after")
        return answer

    def in_a_thread(*arguments: Any) -> Any:
        answer = original(*arguments)
        die("after")
        return answer

    return awaited if inspect.iscoroutinefunction(original) else in_a_thread
