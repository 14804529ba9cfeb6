"""A private SMTP server in this process: it keeps what it takes and refuses as told."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from deskwire.local.processes import free_port

ACCEPTED = "250 2.0.0 OK"
DISCONNECT = "disconnect"
"""Instead of an answer: the connection is lost."""

Script = Callable[[str, str], str | None]
"""(`MAIL`, `RCPT` or `DATA`; the address, for `DATA` the sender's) -> an answer; None accepts."""


class Mail(NamedTuple):
    sender: str
    recipients: tuple[str, ...]
    raw: bytes


class Smtp:
    """What was taken, in order. A mail lost by `DISCONNECT` after DATA was taken, too."""

    def __init__(self, port: int) -> None:
        self.url = f"smtp://127.0.0.1:{port}"
        self.mails: list[Mail] = []
        self.script: Script = _accept

    def clear(self) -> None:
        """Forget the mails and the script."""
        self.mails.clear()
        self.script = _accept

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = await self._answer(server, "MAIL", address)
        if answer == ACCEPTED:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        answer = await self._answer(server, "RCPT", address)
        if answer == ACCEPTED:
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: Any, _session: Any, envelope: Any
    ) -> str:
        sender = envelope.mail_from or ""
        answer = self.script("DATA", sender) or ACCEPTED
        if answer == DISCONNECT or answer.startswith("2"):
            self.mails.append(Mail(sender, tuple(envelope.rcpt_tos), envelope.original_content))
        return await _given(server, answer)

    async def _answer(self, server: Any, command: str, address: str) -> str:
        return await _given(server, self.script(command, address) or ACCEPTED)


def _accept(_command: str, _address: str) -> str | None:
    return None


async def _given(server: Any, answer: str) -> str:
    if answer == DISCONNECT:
        server.transport.abort()
        await asyncio.Event().wait()  # until the lost connection cancels us
    return answer


@contextmanager
def smtp() -> Iterator[Smtp]:
    """A running server, in a thread with a loop of its own."""
    from aiosmtpd.controller import Controller  # tests have it, services do not

    port = free_port()
    server = Smtp(port)
    controller = Controller(server, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    try:
        yield server
    finally:
        controller.stop()
