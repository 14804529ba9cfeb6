"""Mails over a connection that is ready: encrypted, and logged in.

aiosmtplib sends a command and waits for its answer. Here MAIL, RCPT and DATA leave together where
the server offers it (PIPELINING, RFC 2920): a mail takes two round trips, not four.
"""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, cast

import aiosmtplib
from aiosmtplib.protocol import normalize_message_line_endings

from notify_svc.rendering.letter import Letter

COMMAND_SECONDS = 300  # RFC 5321 section 4.5.3.2 asks for five minutes
DATA_SECONDS = 600  # and for ten at the end of the data: shorter ones make duplicates
QUIT_SECONDS = 5
CLOSING, GO_ON = 421, 354
MOST_LINES = 100

_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")


class Lost(Exception):
    """The connection ended, or is of no use any more."""


class Answer(NamedTuple):
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class Session:
    """One mail at a time. After `Lost` it is of no use."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        """Takes the connection over from ``client``, which must have said EHLO."""
        self._pipelining = client.supports_extension("pipelining")
        self.international = client.supports_extension("smtputf8")
        self._transport = cast(asyncio.Transport, client.transport)
        self._reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)

    async def envelope(self, letter: Letter) -> Answer:
        """The first refusal, or that the mail may come now (354). Raises `Lost`."""
        answers = await self._ask(_envelope(letter))
        refused = next((answer for answer in answers if answer.code >= 400), None)
        if refused is None and [answer.code // 100 for answer in answers] != [2, 2, 3]:
            raise Lost(f"the mail server said: {', '.join(map(str, answers))}")
        if refused and refused.code != CLOSING:
            await self._begin_anew(answers[-1])
        return refused or answers[-1]

    async def content(self, letter: Letter) -> Answer:
        """What becomes of the mail. After `Lost` the server may have taken it."""
        answer = await self._say(_wired(letter.content) + b".", DATA_SECONDS)
        if answer.code // 100 in (2, 4, 5):
            return answer
        raise Lost(f"the mail server said: {answer}")

    async def quit(self) -> None:
        with suppress(Lost):
            await self._say(b"QUIT", QUIT_SECONDS)
        self.close()

    def close(self) -> None:
        self._transport.close()

    async def _begin_anew(self, last: Answer) -> None:
        """For the next mail. Who lets the data come for nobody gets none (RFC 2920 section 3.1)."""
        try:
            if last.code == GO_ON:
                await self._say(b".")
            await self._say(b"RSET")
        except Lost:
            self.close()

    async def _ask(self, commands: Sequence[bytes]) -> list[Answer]:
        """At least one answer; none after the server said that it is closing."""
        if not self._pipelining:
            return await self._ask_in_turn(commands)
        self._transport.write(b"".join(command + b"\r\n" for command in commands))
        return await self._answers(len(commands), COMMAND_SECONDS)

    async def _ask_in_turn(self, commands: Sequence[bytes]) -> list[Answer]:
        answers: list[Answer] = []
        for command in commands:
            answers.append(await self._say(command))
            if answers[-1].code >= 400:
                break
        return answers

    async def _say(self, line: bytes, seconds: float | None = None) -> Answer:
        self._transport.write(line + b"\r\n")
        return (await self._answers(1, seconds or COMMAND_SECONDS))[0]

    async def _answers(self, count: int, seconds: float) -> list[Answer]:
        """Up to the one that says that there are no more."""
        answers: list[Answer] = []
        try:
            async with asyncio.timeout(seconds):
                while len(answers) < count and (not answers or answers[-1].code != CLOSING):
                    answers.append(await self._read())
                return answers
        except TimeoutError:
            raise Lost(f"the mail server said nothing for {seconds:g} s") from None
        except (OSError, ValueError) as error:
            raise Lost(str(error) or type(error).__name__) from error

    async def _read(self) -> Answer:
        told = []
        for _ in range(MOST_LINES):
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise Lost("the mail server closed the connection")
            told.append(line[4:].decode("utf-8", "replace").strip())
            if not line[:3].isdigit():
                raise Lost(f"the mail server said: {line.decode('utf-8', 'replace').strip()}")
            if line[3:4] != b"-":
                return Answer(int(line[:3]), "\n".join(told))
        raise Lost("the mail server said too much")


def _wired(content: bytes) -> bytes:
    """Whole lines, with a dot before each dot that begins one (RFC 5321 section 4.5.2)."""
    ends = content.count(b"\r\n")
    if not ends == content.count(b"\r") == content.count(b"\n") or content[-2:] != b"\r\n":
        content = normalize_message_line_endings(content)
    return content.replace(b"\r\n.", b"\r\n..")


def _envelope(letter: Letter) -> Sequence[bytes]:
    """Raises `ValueError` for an address that would be another command."""
    for address in (letter.sender, letter.recipient):
        if _NO_ADDRESS.search(address):
            raise ValueError(f"{address!r} cannot be in a command")
    option, encoding = (" SMTPUTF8", "utf-8") if letter.international else ("", "ascii")
    told = (f"MAIL FROM:<{letter.sender}>{option}", f"RCPT TO:<{letter.recipient}>", "DATA")
    return [each.encode(encoding) for each in told]
