"""Parses mails in processes of their own, so that a mail which stalls or bursts one costs one mail.

One process waits, warm. While it is busy with a slow mail, others are started beside it.
"""

import asyncio
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from itertools import chain
from typing import cast

from deskwire.errors import DeskwireError
from mail_ingest_svc.parse import ParsedMail
from mail_ingest_svc.parse.worker import MEMORY, SECONDS, SIZE

PATIENCE = 1.0
"""So many seconds the others wait for a mail; then they are parsed beside it."""

TOGETHER_SECONDS = 3.0
"""For mails that are parsed together; when it is over, each is parsed by itself."""

MOST = 3
"""Processes at once: each may take `MEMORY`."""

COMMAND = ("-m", "mail_ingest_svc.parse.worker")
READ_BYTES = 1024 * 1024


class ParserDied(DeskwireError):
    """The mail has ended the process that parsed it."""

    code = "parser_died"


class Parsers:
    """``own``: the addresses that Deskwire writes from; ``authserv_id``: see `parse`."""

    def __init__(self, own: Iterable[str] = (), authserv_id: str = "") -> None:
        self._told = [authserv_id, *sorted({address.lower() for address in own})]
        self._places = asyncio.Semaphore(MOST)
        self._turn = asyncio.Semaphore(1)
        self._waiting: list[_Parser] = []

    async def parse_all(self, raws: Sequence[bytes]) -> list[ParsedMail | ParserDied]:
        """Together; each by itself where one of them takes long or ends the process."""
        if len(raws) > 1:
            with suppress(ParserDied, TimeoutError):
                async with self._places, self._in_turn(), asyncio.timeout(TOGETHER_SECONDS):
                    return list(await self._parse(raws))
        return await asyncio.gather(*map(self._parsed, raws))

    async def _parsed(self, raw: bytes) -> ParsedMail | ParserDied:
        try:
            return await self.parse(raw)
        except ParserDied as error:
            return error

    async def parse(self, raw: bytes) -> ParsedMail:
        """Raises `ParserDied` for a mail that takes more than its time or its memory."""
        async with self._places, self._in_turn():
            (parsed,) = await self._parse([raw])
        return parsed

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        await self._turn.acquire()
        with ExitStack() as turn:
            turn.callback(self._turn.release)
            others = asyncio.get_running_loop().call_later(PATIENCE, turn.close)
            turn.callback(others.cancel)
            yield

    async def _parse(self, raws: Sequence[bytes]) -> list[ParsedMail]:
        parser = self._waiting.pop() if self._waiting else await _Parser.start(self._told)
        try:
            parsed = await parser.parse(raws)
        except BaseException:
            await parser.end()
            raise
        self._waiting.append(parser)
        while len(self._waiting) > 1:
            await self._waiting.pop(0).end()
        return parsed

    @property
    def processes(self) -> list[int]:
        """Those that wait, by their ids."""
        return [parser.process.pid for parser in self._waiting]

    async def aclose(self) -> None:
        while self._waiting:
            await self._waiting.pop().end()


class _Parser:
    def __init__(self, process: Process) -> None:
        self.process = process
        self._mails = cast("asyncio.StreamWriter", process.stdin)
        self._answers = cast("asyncio.StreamReader", process.stdout)

    @classmethod
    async def start(cls, told: Iterable[str]) -> "_Parser":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *COMMAND,
            *told,
            stdin=PIPE,
            stdout=PIPE,
            limit=READ_BYTES,
            start_new_session=True,  # Ctrl-C is for us, who let it finish
        )
        return cls(process)

    async def parse(self, raws: Sequence[bytes]) -> list[ParsedMail]:
        """One write and one answer for all: waking each other costs as much as most mails do."""
        sizes = [SIZE.pack(len(raw)) for raw in raws]
        try:
            self._mails.writelines([SIZE.pack(len(raws)), *chain(*zip(sizes, raws, strict=True))])
            await self._mails.drain()
            (size,) = SIZE.unpack(await self._answers.readexactly(SIZE.size))
            answer = await self._answers.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise ParserDied(_cause(await self.process.wait())) from None
        parsed: list[ParsedMail] = pickle.loads(answer)  # noqa: S301  # our own child wrote it
        return parsed

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        self._mails.close()


def _cause(code: int) -> str:
    if code == -signal.SIGALRM:
        return f"parsing it takes more than {SECONDS:.0f} seconds"
    if code in {-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGKILL, 1}:
        return f"parsing it takes more than {MEMORY // 1024**2} MiB"
    return f"parsing it ended the process with {code}"
