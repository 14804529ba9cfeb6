"""Mailboxes that are opened by OAuth access tokens (XOAUTH2), on Dovecot."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from post_office import PostOffice, a_mail, until
from prometheus_client import REGISTRY

from deskwire.local import Dovecot
from deskwire.local.authorization import AuthorizationServer, authorization_server
from deskwire.oauth import OAuthAway, OAuthClient, OAuthRefused, Tokens


@pytest.fixture
def server(dovecot: Dovecot, user: str) -> Iterator[AuthorizationServer]:
    with authorization_server(dovecot.introspection_port, user) as server:
        yield server


@pytest.fixture
def told(dovecot: Dovecot) -> dict[str, Any]:
    return {
        "token_url": f"http://127.0.0.1:{dovecot.introspection_port}/token",
        "client_id": "deskwire",
        "client_secret": "s3cret",
        "refresh_token": "first",
        "scope": "mail",
    }


async def test_a_mailbox_is_read_by_a_refreshed_token(
    office: PostOffice,
    dovecot: Dovecot,
    server: AuthorizationServer,
    user: str,
    told: dict[str, Any],
) -> None:
    """Twice: the second start must use the refresh token that the first one was given."""
    oauth = {"support": OAuthClient(**told)}
    for count in (1, 2):
        dovecot.append(user, a_mail(f"Printer {count}"))
        async with office.open(dovecot.oauth_url(user, "support"), oauth=oauth):
            await office.mails(count)
    used = [form["refresh_token"] for form in server.asked]
    assert used[0] == "first"
    assert len(set(used)) == 2
    assert server.asked[0]["client_secret"] == "s3cret"


async def test_the_application_itself_may_be_let_in(
    office: PostOffice,
    dovecot: Dovecot,
    server: AuthorizationServer,
    user: str,
    told: dict[str, Any],
) -> None:
    del told["refresh_token"]
    dovecot.append(user, a_mail())
    oauth = {"support": OAuthClient(**told)}
    async with office.open(dovecot.oauth_url(user, "support"), oauth=oauth):
        await office.mail()
    assert [form["grant_type"] for form in server.asked] == ["client_credentials"]


async def test_a_token_that_the_mail_server_refuses_is_asked_for_anew(
    office: PostOffice,
    dovecot: Dovecot,
    server: AuthorizationServer,
    user: str,
    told: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mail_ingest_svc.mailbox.watch.REFUSED_PAUSE", 0.1)
    oauth = {"support": OAuthClient(**told)}
    async with office.open(dovecot.oauth_url(user, "support"), oauth=oauth):
        await until(lambda: len(server.asked) == 1)
        server.good.clear()
        dovecot.stop()
        dovecot.start()
        dovecot.append(user, a_mail())
        await office.mail()
    assert len(server.asked) == 2


async def test_an_ended_consent_is_told_and_others_go_on(
    office: PostOffice,
    dovecot: Dovecot,
    server: AuthorizationServer,
    user: str,
    told: dict[str, Any],
    logged: list[Any],
) -> None:
    server.refresh = "another"
    oauth = {"support": OAuthClient(**told)}
    other = dovecot.url(f"other-{user}")
    dovecot.append(f"other-{user}", a_mail())
    async with office.open(dovecot.oauth_url(user, "support"), other, oauth=oauth):
        await office.mail()
        await until(lambda: any("it has ended" in str(line.get("cause")) for line in logged))
    assert "s3cret" not in str(logged)


async def test_tokens_are_shared_and_refreshed_in_time(
    office: PostOffice, server: AuthorizationServer, told: dict[str, Any]
) -> None:
    client = {"support": OAuthClient(**told)}
    processes = [Tokens(client, office.database) for _ in range(2)]
    given = await asyncio.gather(*(each.access("support") for each in processes * 5))
    assert len(set(given)) == 2  # one a process, neither of them void
    assert len(server.asked) == 2
    server.lifetime = 10
    processes[0].forget("support")
    assert await processes[0].access("support") != await processes[0].access("support")


async def test_what_is_told_anew_counts(
    office: PostOffice, server: AuthorizationServer, told: dict[str, Any]
) -> None:
    await Tokens({"support": OAuthClient(**told)}, office.database).access("support")
    server.refresh = "consented again"
    with pytest.raises(OAuthRefused, match="it has ended"):
        await Tokens({"support": OAuthClient(**told)}, office.database).access("support")
    anew = OAuthClient(**told | {"refresh_token": "consented again"})
    assert await Tokens({"support": anew}, office.database).access("support")


async def test_it_is_told_since_when_a_refresh_token_was_not_used(
    office: PostOffice, server: AuthorizationServer, told: dict[str, Any]
) -> None:
    """Also by a process that has never been given a token: an alert waits for it."""
    client = {"support": OAuthClient(**told)}
    await Tokens(client, office.database).access("support")
    used = datetime.now(UTC) - timedelta(days=40)
    await office.database.pool.execute("UPDATE oauth_tokens SET refreshed_at = $1", used)
    server.refresh = "another"
    with pytest.raises(OAuthRefused):
        await Tokens(client, office.database).access("support")
    shown = REGISTRY.get_sample_value("deskwire_oauth_refreshed_seconds", {"oauth": "support"})
    assert shown == pytest.approx(used.timestamp())


async def test_a_server_that_is_away(
    office: PostOffice, server: AuthorizationServer, told: dict[str, Any]
) -> None:
    tokens = Tokens({"support": OAuthClient(**told)}, office.database)
    server.broken = True
    with pytest.raises(OAuthAway):
        await tokens.access("support")
    server.broken = False
    assert await tokens.access("support")
