"""Signatures of mails, as another implementation finds them (dkimpy)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from notify_desk import NOON, desk_of, opened, replied
from notify_desk import settings as told_settings

from deskwire.contracts.actors import Person
from deskwire.contracts.mail import Body
from deskwire.errors import SetupError
from deskwire.local import Smtp
from deskwire.settings import load
from notify_svc.dkim import SigningKey, signed
from notify_svc.domain.rules import mails
from notify_svc.mime import File
from notify_svc.rendering.letter import Letterhead, render
from notify_svc.settings import Settings

RSA = rsa.generate_private_key(65537, 2048)
ED25519 = Ed25519PrivateKey.generate()


def pem(key: Any, shape: str = "PKCS8") -> bytes:
    told = getattr(serialization.PrivateFormat, shape)
    made: bytes = key.private_bytes(serialization.Encoding.PEM, told, serialization.NoEncryption())
    return made


@pytest.fixture
def keys(tmp_path: Path) -> tuple[SigningKey, ...]:
    """One of each kind, as many have them until all receivers know the newer."""
    found = []
    for name, key, shape in (("r", RSA, "TraditionalOpenSSL"), ("e", ED25519, "PKCS8")):
        path = tmp_path / name
        path.write_bytes(pem(key, shape))
        found.append(SigningKey(domain="example.com", selector=name, key_file=path))
    return tuple(found)


def dns(keys: tuple[SigningKey, ...]) -> Callable[..., bytes | None]:
    zone = {f"{name}.": told.encode() for name, told in (key.record for key in keys)}

    def ask(name: bytes, timeout: int = 5) -> bytes | None:  # as dkimpy calls it
        return zone.get(name.decode())

    return ask


def holds(content: bytes, keys: tuple[SigningKey, ...]) -> list[bool]:
    """Whether each signature of the mail does."""
    return [_holds(content, index, keys) for index in range(content.count(b"DKIM-Signature:"))]


def _holds(content: bytes, index: int, keys: tuple[SigningKey, ...]) -> bool:
    try:
        return bool(dkim.DKIM(content).verify(index, dns(keys)))
    except dkim.ValidationError:  # of another body
        return False


def letter(keys: tuple[SigningKey, ...], text: str = "Water is on its way.", **head: Any) -> bytes:
    event = replied(body=Body(text=text), watchers=["wim@client.test"])
    told = Letterhead("Ärzte-Support", "support@example.com", "support@example.com", keys=keys)
    file = File("plan.pdf", "application/pdf", b"%PDF \x00 " * 999)
    one = list(mails(event, {}))[head.pop("which", 0)]
    return render(one, told, delivery=7, created_at=NOON, files=[file]).content


def test_both_signatures_hold(keys: tuple[SigningKey, ...]) -> None:
    content = letter(keys)
    assert holds(content, keys) == [True, True]
    assert content == letter(keys)
    assert max(len(line) for line in content.split(b"\r\n")) < 100
    head = content.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    assert head.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com;")
    assert b"a=ed25519-sha256" in head


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"Water", b"Wine"),
        (b"Subject: Re:", b"Subject: Fw:"),
        (b"\r\nTo: ", b"\r\nTo: eve@evil.test, "),
        (b"\r\nReply-To: ", b"\r\nReply-To: eve@evil.test, "),
        (b"\r\nSubject:", b"\r\nSubject: Pay at once\r\nSubject:"),
        (b"\r\nFrom:", b"\r\nFrom: eve@evil.test\r\nFrom:"),
    ],
)
def test_what_was_changed_no_longer_holds(
    keys: tuple[SigningKey, ...], before: bytes, after: bytes
) -> None:
    content = letter(keys)
    assert before in content
    assert holds(content.replace(before, after, 1), keys) == [False, False]


def test_what_servers_do_on_the_way_is_allowed(keys: tuple[SigningKey, ...]) -> None:
    content = letter(keys)
    on_the_way = content.replace(b"\r\nSubject: ", b"\r\nsubject:   ", 1)
    assert holds(b"Received: from here\r\n" + on_the_way + b"\r\n\r\n", keys) == [True, True]


LINES = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@settings(max_examples=60, deadline=None)
@given(text=st.one_of(LINES, st.sampled_from(["", " ", "\n\n\n", "a \t \nb\t\n\n", "." * 2000])))
def test_whatever_is_written_holds(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "key"
    path.write_bytes(pem(ED25519))
    keys = (SigningKey(domain="example.com", selector="e", key_file=path),)
    assert holds(letter(keys, text), keys) == [True]
    bare = f"From: a@example.com\r\nSubject: {' '.join(text.split())[:200]}\r\n\r\n".encode()
    body = "".join(f"{line}\r\n" for line in text.splitlines()).encode()
    assert holds(signed(keys, bare + body, "a@example.com", NOON), keys) == [True]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("a@example.com", 2),
        ("a@EXAMPLE.com", 2),
        ("a@sub.example.com", 2),
        ("a@other.test", 0),
        ("a@badexample.com", 0),
    ],
)
def test_the_sender_s_domain_decides(
    keys: tuple[SigningKey, ...], sender: str, expected: int
) -> None:
    content = f"From: {sender}\r\nSubject: x\r\n\r\nx\r\n".encode()
    assert signed(keys, content, sender, NOON).count(b"DKIM-Signature:") == expected


def test_the_way_out_is_signed(keys: tuple[SigningKey, ...]) -> None:
    told = told_settings(
        *("postgresql://nobody@127.0.0.1:1/x", "smtp://127.0.0.1:1"),
        public_url="https://desk.example.com",
        link_key="a link key for tests alone",
    )
    one = list(mails(replied(watchers=["wim@client.test"]), {}))[1]
    head = Letterhead.of(told.model_copy(update={"dkim": keys}))
    content = render(one, head, delivery=7, created_at=NOON).content
    assert holds(content, keys) == [True, True]
    elsewhere = content.replace(b"<https://desk.example.com", b"<https://desk.evil.test", 1)
    assert holds(elsewhere, keys) == [False, False]


async def test_a_mail_arrives_signed(
    database_url: str, smtp_server: Smtp, keys: tuple[SigningKey, ...]
) -> None:
    async with desk_of(told_settings(database_url, smtp_server.url, dkim=keys)) as desk:
        await desk.tell(opened(contact=Person(id=5, name="Jörg", email="jörg@client.test")))
        await desk.state("sent")
    assert holds(smtp_server.mails[0].raw, keys) == [True, True]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "No such file"),
        (b"secret", "no private key in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "neither an RSA nor an Ed25519 key"),
    ],
)
def test_a_key_that_is_none_is_told_at_the_start(
    content: bytes | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    told = f'[{{"domain": "example.com", "selector": "s", "key_file": "{tmp_path}/key"}}]'
    monkeypatch.setenv("DESKWIRE_DKIM", told)
    with pytest.raises(SetupError, match=says) as refusal:
        load(Settings, database_url="x", broker_url="x", smtp_url="x", mail_from="a@example.com")
    assert "DESKWIRE_DKIM" in str(refusal.value)
    assert "secret" not in str(refusal.value)
