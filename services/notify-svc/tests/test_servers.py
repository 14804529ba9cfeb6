"""Mail servers of every kind: encrypted or not, with and without login, and none at all."""

import ssl
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from notify_desk import desk_of, opened, replied, settings
from structlog.testing import capture_logs

from deskwire.errors import SetupError
from deskwire.local import Smtp, free_port
from deskwire.local.authorization import authorization_server

SOMEWHERE_ELSE = "0.0.0.0"  # reaches this machine, but is no loopback address


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Of a server that nobody knows."""
    if which("openssl") is None:
        pytest.skip("no openssl to make a certificate")
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key", folder / "certificate"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=x.example.com"]
    subprocess.run(
        ["openssl", "req", *options, "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Watched(Smtp):
    """Knows which mails came encrypted."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.encrypted: list[bool] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.encrypted.append(session.ssl is not None)
        return await super().handle_DATA(server, session, envelope)


@contextmanager
def serving(**options: Any) -> Iterator[tuple[Watched, int]]:
    port = free_port()
    server = Watched(port)
    controller = Controller(server, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield server, port
    finally:
        controller.stop()


async def test_starttls_is_used_where_it_is_offered(
    database_url: str, certificate: ssl.SSLContext
) -> None:
    with serving(tls_context=certificate) as (server, port):
        async with desk_of(settings(database_url, f"smtp://127.0.0.1:{port}")) as desk:
            await desk.tell(opened())
            await desk.state("sent")
    assert server.encrypted == [True]


async def test_nothing_goes_over_the_network_in_clear(database_url: str) -> None:
    with serving() as (server, port):
        url = f"smtp://me:secret@{SOMEWHERE_ELSE}:{port}"
        async with desk_of(settings(database_url, url)) as desk:
            await desk.tell(opened())
            assert "STARTTLS" in ((await desk.state("queued")).answer or "")
    assert server.mails == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
async def test_a_server_that_nobody_vouches_for_gets_nothing(
    database_url: str, certificate: ssl.SSLContext, scheme: str
) -> None:
    """Each its own way to TLS: `smtp` by STARTTLS, `smtps` from the first byte."""
    way = {"tls_context": certificate} if scheme == "smtp" else {"ssl_context": certificate}
    with serving(**way) as (server, port):
        url = f"{scheme}://me:secret@{SOMEWHERE_ELSE}:{port}"
        async with desk_of(settings(database_url, url)) as desk:
            await desk.tell(opened())
            told = await desk.state("queued")
    assert "certificate" in (told.answer or "").lower()
    assert server.mails == []


async def test_a_server_without_other_scripts_fails_them_with_a_reason(database_url: str) -> None:
    with serving(enable_SMTPUTF8=False) as (_, port):
        async with desk_of(settings(database_url, f"smtp://127.0.0.1:{port}")) as desk:
            await desk.tell(replied(watchers=["jörg@exämple.test"]))
            assert "SMTPUTF8" in ((await desk.state("failed")).answer or "")
            await desk.state("sent")


async def test_a_closed_port_is_told_once_and_the_mails_wait(database_url: str) -> None:
    port = free_port()
    with capture_logs() as logs:
        async with desk_of(settings(database_url, f"smtp://127.0.0.1:{port}")) as desk:
            await desk.tell(opened(1, team=["a@example.com", "b@example.com"]))
            await desk.tell(opened(2))
            waiting = await desk.state("queued", count=3)
            assert len(await desk.rows()) == 4
            assert {told.state for told in desk.told} == {"queued"}
    assert str(port) in (waiting.answer or "")
    (error,) = [line for line in logs if line["event"] == "mail server cannot be used"]
    assert error["host"] == "127.0.0.1"


CREDENTIALS = "me%40example.com:s3%2Fcret"
WITH_LOGIN = {"auth_require_tls": False, "auth_required": True}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_wrong_credentials_are_told_without_them(database_url: str) -> None:
    def refuse(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with serving(authenticator=refuse, **WITH_LOGIN) as (_, port), capture_logs() as logs:
        url = f"smtp://{CREDENTIALS}@127.0.0.1:{port}"
        async with desk_of(settings(database_url, url)) as desk:
            await desk.tell(opened())
            told = await desk.state("queued")
    assert "refuses the credentials: 535" in (told.answer or "")
    assert any("refuses the credentials" in str(line.get("cause")) for line in logs)
    assert "s3/cret" not in str(logs)
    assert "s3%2Fcret" not in str(logs)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_the_right_credentials_are_used(database_url: str) -> None:
    seen = []

    def take(_server: Any, _session: Any, _envelope: Any, _way: str, data: Any) -> AuthResult:
        seen.append((data.login, data.password))
        return AuthResult(success=True)

    with serving(authenticator=take, **WITH_LOGIN) as (server, port):
        url = f"smtp://{CREDENTIALS}@127.0.0.1:{port}"
        async with desk_of(settings(database_url, url)) as desk:
            await desk.tell(opened())
            await desk.state("sent")
    assert seen[0] == (b"me@example.com", b"s3/cret")
    assert len(server.mails) == 1


class WithTokens(Watched):
    """Lets in who brings an access token that is good (XOAUTH2)."""

    def __init__(self, port: int, good: set[str]) -> None:
        super().__init__(port)
        self.good = good
        self.tried: list[str] = []

    async def auth_XOAUTH2(self, _server: Any, args: list[str]) -> AuthResult:  # noqa: N802  # aiosmtpd's name
        user, token = b64decode(args[1]).decode().removeprefix("user=").split("\x01auth=Bearer ")
        self.tried.append(user)
        return AuthResult(success=token.rstrip("\x01") in self.good, handled=False)


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
async def test_access_tokens_open_the_server_and_a_void_one_is_asked_for_anew(
    database_url: str,
) -> None:
    with authorization_server(free_port(), "me") as tokens:
        token_url = f"http://127.0.0.1:{tokens.port}/token"
        client = {"token_url": token_url, "client_id": "deskwire", "refresh_token": "first"}
        port = free_port()
        server = WithTokens(port, tokens.good)
        controller = Controller(
            server, hostname="127.0.0.1", port=port, auth_require_tls=False, auth_required=True
        )
        controller.start()
        url = f"smtp://me%40example.com@127.0.0.1:{port}?oauth=out"
        told = settings(database_url, url, oauth={"out": client}, smtp_connections=1)
        try:
            async with desk_of(told) as desk:
                await desk.tell(opened(1))
                await desk.state("sent")
                assert server.tried == ["me@example.com"]
                tokens.good.clear()
                answers = iter(["disconnect"])
                server.script = lambda command, _: (
                    next(answers, None) if command == "MAIL" else None
                )
                await desk.tell(opened(2))
                assert "refuses the credentials" in ((await desk.state("queued")).answer or "")
                await desk.make_due()
                await desk.state("sent", count=2)
        finally:
            controller.stop()
    assert [form["grant_type"] for form in tokens.asked] == ["refresh_token"] * 2
    assert tokens.asked[1]["refresh_token"] != "first"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("smtp://me@example.com?oauth=nobody", "DESKWIRE_OAUTH does not name"),
        ("http://example.com", "must begin with smtp://"),
        ("smtp://", "names no host"),
        ("smtp://example.com:port", "DESKWIRE_SMTP_URL"),
        ("maildir:/proc/nowhere", "cannot be used"),
    ],
)
async def test_a_wrong_url_is_told_at_the_start(database_url: str, url: str, says: str) -> None:
    with pytest.raises(SetupError, match=says):
        async with desk_of(settings(database_url, url)):
            pass
