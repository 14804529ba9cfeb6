"""A mail server that misbehaves, byte by byte: what a connection makes of it, and of the next mail.

Each mail of the same bytes; whatever the server may have taken without our knowing is in doubt, and
nothing else is.
"""

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from shutil import which

import pytest

from notify_svc.domain.attempts import Ambiguous, Refused, Result, Sent, Unreachable
from notify_svc.rendering.letter import Letter
from notify_svc.sender import session, smtp
from notify_svc.sender.smtp import SmtpServer

LETTER = Letter("1.deskwire", "support@example.com", "ann@client.test", b"Subject: x\r\n\r\nHi\r\n")
FINE: dict[str, str] = {
    "": "220 mx.example.com",
    "EHLO": "250 mx.example.com",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    ".": "250 2.0.0 taken",
    "nothing": "554 5.5.1 no valid recipients",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}
PIPELINING = "250-mx.example.com\r\n250-SIZE 1000000\r\n250 PIPELINING"
CUT, SILENCE, LATE = "cut", "silence", "late"
"""Instead of an answer: the connection ends; nothing comes; the fine one comes after a while."""

Answers = Callable[[str, int], str | None]
"""(The command, how often it came before) -> another answer than the fine one."""


class Faulty:
    """``taken`` are the mails that it has read to their end, whatever it said then."""

    def __init__(self, answers: Answers, *, pause: float = 0, hello: str = PIPELINING) -> None:
        self.taken: list[bytes] = []
        self.connections = 0
        self.commands: list[str] = []
        self._answers = answers
        self._pause = pause
        self._fine = {**FINE, "EHLO": hello}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if await self._answer("", writer):
                while line := await reader.readline():
                    if not await self._handle(line, reader, writer):
                        break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _handle(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        command = line[:4].decode().strip().upper()
        if not await self._answer(command, writer):
            return False
        if command == "DATA" and self.commands[-1] == "DATA 354":
            if mail := await self._mail(reader):
                self.taken.append(mail)
            return await self._answer("." if mail else "nothing", writer)
        return command != "QUIT"

    async def _mail(self, reader: asyncio.StreamReader) -> bytes:
        lines = []
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line)
        return b"".join(lines)

    async def _answer(self, command: str, writer: asyncio.StreamWriter) -> bool:
        before = sum(told.partition(" ")[0] == command for told in self.commands)
        answer = self._answers(command, before) or self._fine[command]
        self.commands.append(f"{command} {answer[:3]}")
        if answer == SILENCE:
            await asyncio.sleep(30)
        if answer == LATE:
            await asyncio.sleep(0.6)
            answer = self._fine[command]
        if answer in (CUT, SILENCE):
            return False
        for byte in f"{answer}\r\n".encode():
            writer.write(bytes([byte]))
            await asyncio.sleep(self._pause)
        await writer.drain()
        return True


@asynccontextmanager
async def faulty(
    answers: Answers,
    *,
    pause: float = 0,
    hello: str = PIPELINING,
    login: str = "",
    per_minute: int | None = None,
) -> AsyncIterator[tuple[Faulty, SmtpServer]]:
    server = Faulty(answers, pause=pause, hello=hello)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        url = f"smtp://{login}127.0.0.1:{port}"
        yield server, SmtpServer(url, helo="example.com", per_minute=per_minute)
    finally:
        listening.close()


def once(command: str, answer: str) -> Answers:
    return lambda given, before: answer if given == command and not before else None


def always(command: str, answer: str) -> Answers:
    return lambda given, _before: answer if given == command else None


TIMES = {
    "CONNECT_SECONDS": smtp.CONNECT_SECONDS,
    "COMMAND_SECONDS": session.COMMAND_SECONDS,
    "DATA_SECONDS": session.DATA_SECONDS,
}
"""As long as they are outside of these tests."""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in TIMES:
        for module in (smtp, session):
            monkeypatch.setattr(module, name, 0.4, raising=False)
    monkeypatch.setattr(smtp, "FIRST_PAUSE", 0.05)


def told_by(result: Result) -> str:
    match result:
        case Refused(code, answer):
            return f"{code} {answer}"
        case Unreachable(reason) | Ambiguous(reason):
            return reason
    return ""


TAKEN = Sent("250 2.0.0 taken")
CASES: list[tuple[Answers, type[Result], str, int]] = [
    # the answers, what follows, what is told, how many mails the server has
    (once("MAIL", "451 4.3.0 busy"), Refused, "451 4.3.0 busy", 0),
    (once("RCPT", "450 4.2.0 greylisted"), Refused, "450 4.2.0 greylisted", 0),
    (once("RCPT", "550 5.1.1 unknown"), Refused, "550 5.1.1 unknown", 0),
    (once("RCPT", "452 4.2.2 full"), Refused, "452 4.2.2 full", 0),
    (once("DATA", "554 5.7.1 no"), Refused, "554 5.7.1 no", 0),
    (once(".", "552 5.3.4 too large"), Refused, "552 5.3.4 too large", 1),
    (once(".", "451 4.7.0 later"), Refused, "451 4.7.0 later", 1),
    (once("MAIL", "421 4.3.2 closing"), Unreachable, "421 4.3.2 closing", 0),
    (once("RCPT", "421 4.7.0 too many"), Unreachable, "421 4.7.0 too many", 0),
    (once("MAIL", "530 5.7.0 login first"), Unreachable, "530 5.7.0 login first", 0),
    (once("", "554 no service"), Unreachable, "554 no service", 0),
    (once("", CUT), Unreachable, "", 0),
    (once("", SILENCE), Unreachable, "Timed out", 0),
    (once("EHLO", SILENCE), Unreachable, "", 0),
    (once("MAIL", CUT), Unreachable, "", 0),
    (once("RCPT", SILENCE), Unreachable, "", 0),
    (once("DATA", "250 2.0.0 ok"), Unreachable, "the mail server said: ", 0),
    (once("DATA", CUT), Unreachable, "closed the connection", 0),
    (once("DATA", SILENCE), Unreachable, "said nothing for 0.4 s", 0),
    (once(".", CUT), Ambiguous, "after the mail was handed over", 1),
    (once(".", SILENCE), Ambiguous, "after the mail was handed over", 1),
    (once(".", "nonsense"), Ambiguous, "after the mail was handed over", 1),
]


@pytest.mark.parametrize("hello", [FINE["EHLO"], PIPELINING], ids=["in turn", "pipelining"])
@pytest.mark.parametrize(("answers", "follows", "says", "taken"), CASES)
async def test_what_follows_and_that_the_next_mail_is_sent(
    answers: Answers, follows: type[Result], says: str, taken: int, hello: str
) -> None:
    async with faulty(answers, hello=hello) as (server, url):
        line = url.line()
        result = await line.send(LETTER)
        assert isinstance(result, follows), result
        assert says in told_by(result)
        assert len(server.taken) == taken
        await asyncio.sleep(0.06)  # as long as it is left alone
        assert await line.send(LETTER) == TAKEN
        assert len(set(server.taken)) == 1, "the same bytes each time"
        await line.rest()


async def test_an_answer_that_comes_byte_by_byte_is_an_answer() -> None:
    async with faulty(always("NOOP", ""), pause=0.002) as (server, url):
        line = url.line()
        assert [await line.send(LETTER) for _ in range(2)] == [TAKEN, TAKEN]
        assert server.connections == 1
        await line.rest()


async def test_a_kept_connection_that_ended_costs_nothing() -> None:
    """The server closes after each mail, as some do; what was handed over is in no doubt."""

    def answers(command: str, before: int) -> str | None:
        return CUT if command == "MAIL" and before % 2 else None

    async with faulty(answers) as (server, url):
        line = url.line()
        results = [await line.send(LETTER) for _ in range(4)]
        assert results == [TAKEN] * 4
        assert len(server.taken) == 4
        await line.rest()


async def test_a_server_that_takes_only_so_many_mails_over_one_connection_costs_nothing() -> None:
    """It says so when the next one begins (Exim's `smtp_accept_max_per_connection`)."""

    def answers(command: str, before: int) -> str | None:
        return "421 4.7.0 too many messages" if command == "MAIL" and before % 3 == 2 else None

    async with faulty(answers) as (server, url):
        line = url.line()
        assert [await line.send(LETTER) for _ in range(6)] == [TAKEN] * 6
        assert (len(server.taken), server.connections) == (6, 3)
        await line.rest()


async def test_a_server_gets_no_more_mails_a_minute_than_it_is_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", TIMES["CONNECT_SECONDS"])  # of a busy machine
    async with faulty(always("NOOP", ""), per_minute=600) as (server, url):
        lines = [url.line() for _ in range(3)]
        started = time.monotonic()
        for _ in range(2):
            sent = await asyncio.gather(*(line.send(LETTER) for line in lines))
            assert sent == [TAKEN] * 3
        assert time.monotonic() - started >= 0.5, "six of them, a tenth of a second apart"
        assert len(server.taken) == 6
        await asyncio.gather(*(line.rest() for line in lines))


async def test_silence_is_no_answer_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that look into mails need minutes: who asks again by then has sent it twice."""
    assert TIMES == {"CONNECT_SECONDS": 30, "COMMAND_SECONDS": 300, "DATA_SECONDS": 600}
    monkeypatch.setattr(session, "DATA_SECONDS", 5)
    async with faulty(once(".", LATE)) as (server, url):
        line = url.line()
        assert await line.send(LETTER) == TAKEN
        assert len(server.taken) == 1
        await line.rest()


async def test_a_mail_leaves_in_two_steps_where_the_server_takes_commands_together() -> None:
    packets: list[bytes] = []
    answers = iter(["250-mx\r\n250 PIPELINING", "250 ok\r\n250 ok\r\n354 go on", "250 taken"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        for answer in answers:
            packets.append(await reader.read(10_000))
            writer.write(f"{answer}\r\n".encode())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    letter = replace(LETTER, content=b"Subject: x\r\n\r\n.\r\n..\r\na.b\r\n.")
    async with listening:
        line = SmtpServer(f"smtp://127.0.0.1:{port}", helo="example.com").line()
        assert await line.send(letter) == Sent("250 taken")
        await line.rest()
    assert packets[1:] == [
        b"MAIL FROM:<support@example.com>\r\nRCPT TO:<ann@client.test>\r\nDATA\r\n",
        b"Subject: x\r\n\r\n..\r\n...\r\na.b\r\n..\r\n.\r\n",
    ]


@pytest.mark.parametrize("address", ["a@b.test> SIZE=1", "a@b.test\r\nDATA", "a b@c.test"])
async def test_an_address_is_no_command(address: str) -> None:
    async with faulty(always("NOOP", "")) as (server, url):
        line = url.line()
        with pytest.raises(ValueError, match="cannot be in a command"):
            await line.send(replace(LETTER, recipient=address))
        await line.rest()
        assert server.taken == []


async def test_a_server_that_says_it_is_closing_is_left_alone() -> None:
    async with faulty(always("MAIL", "421 too many connections")) as (server, url):
        lines = [url.line() for _ in range(20)]
        results = [await line.send(LETTER) for line in lines]
        assert {type(result) for result in results} == {Unreachable}
        assert server.connections < 10, "the others were not even tried"


async def test_who_offers_encryption_and_refuses_it_gets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither mail nor password."""
    monkeypatch.setattr(smtp, "_is_loopback", lambda _host: False)
    monkeypatch.setitem(FINE, "STAR", "454 4.7.0 TLS not available")
    async with faulty(always("NOOP", ""), hello="250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN") as (
        server,
        url,
    ):
        result = await url.line().send(LETTER)
        assert result == Unreachable("454 4.7.0 TLS not available")
        assert [told.partition(" ")[0] for told in server.commands] == ["", "EHLO", "STAR"]


async def test_a_login_that_ends_between_two_mails_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(FINE, "AUTH", "235 2.7.0 welcome")
    hello = "250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN"

    def answers(command: str, before: int) -> str | None:
        return "530 5.7.0 login first" if command == "MAIL" and before == 1 else None

    async with faulty(answers, hello=hello, login="me:secret@") as (server, url):
        line = url.line()
        assert [await line.send(LETTER) for _ in range(3)] == [TAKEN] * 3
        assert (server.connections, server.commands.count("AUTH 235")) == (2, 2)
        await line.rest()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for mail.example.com, which is its own authority."""
    if which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    folder = tmp_path_factory.mktemp("authority")
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=mail.example.com", "-addext", "subjectAltName=DNS:mail.example.com"]
    files = ["-keyout", str(folder / "key"), "-out", str(folder / "certificate")]
    subprocess.run(["openssl", "req", *options, *names, *files], check=True, capture_output=True)
    return folder


async def test_a_certificate_of_another_name_gets_nothing(
    authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever vouches for it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority / "certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "certificate", authority / "key")
    server = Faulty(always("NOOP", ""))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    monkeypatch.setattr(smtp, "_is_loopback", lambda _host: False)
    async with listening:
        line = SmtpServer(f"smtps://localhost:{port}", helo="example.com").line()
        result = await line.send(LETTER)
    assert isinstance(result, Unreachable)
    assert "Hostname mismatch" in result.reason or "doesn't match" in result.reason
    assert server.taken == []
