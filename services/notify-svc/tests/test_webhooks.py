"""Programs that are told of events over HTTP."""

import asyncio
import base64
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from notify_desk import Desk, Hook, desk_of, opened, replied
from test_telling import noted

from deskwire.contracts.actors import Named
from deskwire.contracts.invoices import InvoiceChanged, InvoiceDrafted
from deskwire.contracts.tickets import TicketChanged
from deskwire.contracts.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    NewWebhook,
    ReplayWebhook,
    Webhook,
    WebhookChanges,
)
from deskwire.errors import Conflict, Invalid, NotFound, StaleVersion
from deskwire.messaging.requests import ask
from notify_svc.domain.webhooks import check_url, is_public, signature
from notify_svc.settings import Settings


@pytest.fixture
async def desk(told: Settings) -> AsyncIterator[Desk]:
    async with desk_of(told.model_copy(update={"webhooks_to_private": True})) as desk:
        yield desk


async def made(desk: Desk, hook: Hook, **fields: Any) -> NewWebhook:
    command = CreateWebhook.model_validate({"url": hook.url} | fields)
    return (await ask(desk.broker, command)).reply


async def change(desk: Desk, id: int, if_version: int | None = None, **fields: Any) -> Webhook:
    changes = WebhookChanges(**fields)
    return (
        await ask(desk.broker, ChangeWebhook(id=id, changes=changes, if_version=if_version))
    ).reply


def of_hook(state: str) -> Any:
    return lambda told: told.channel == "webhook" and told.state == state


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver does it, by the text of the standard."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_is_that_of_the_standard() -> None:
    """With the example of its specification."""
    assert (
        signature(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


async def test_what_happens_is_told_and_signed(desk: Desk, hook: Hook) -> None:
    new = await made(desk, hook)
    await desk.tell(opened(1, contact=None))
    told = await desk.heard(of_hook("sent"))
    ((headers, body),) = hook.told
    assert (told.template, told.recipient) == ("ticket.opened", f"webhook:{new.webhook.id}")
    assert told.answer == "200 hi"
    assert headers["webhook-id"] == "evt_12_1"
    assert headers["host"] == hook.url.split("/")[2]
    assert verified(new.secret, headers, body)
    (event,) = hook.events
    assert event["type"] == "ticket.opened"
    assert (event["data"]["ticket_id"], event["data"]["entry_id"]) == (12, 1)
    assert datetime.now(UTC) - datetime.fromisoformat(event["timestamp"]) < timedelta(minutes=1)


async def test_each_is_told_what_it_wants_and_may_know(desk: Desk, hook: Hook) -> None:
    await made(desk, hook, events=["ticket.replied"])
    await made(desk, hook, client_id=3)
    await made(desk, hook, client_id=4)
    off = await made(desk, hook)
    await change(desk, off.webhook.id, enabled=False)
    await desk.tell(noted(1, version=2))
    await desk.tell(replied(2))
    other = replied(3)
    about = other.ticket.model_copy(update={"client": Named(id=4, name="x"), "id": 13})
    await desk.tell(other.model_copy(update={"ticket": about}))
    await desk.tell(TicketChanged(ticket=about.model_copy(update={"version": 9})))  # told anew
    await desk.heard(of_hook("sent"), count=4)
    told = sorted((one.recipient, one.ticket_id) for one in desk.told if of_hook("sent")(one))
    assert told == [("webhook:1", 12), ("webhook:1", 13), ("webhook:2", 12), ("webhook:3", 13)]


async def test_invoices_are_told_and_drafts_to_no_client(desk: Desk, hook: Hook) -> None:
    example = Path(__file__).parents[3] / "shared/tests/examples/invoice.drafted.v1.json"
    drafted = InvoiceDrafted.model_validate_json(example.read_bytes())
    await made(desk, hook, events=["invoice.drafted", "invoice.changed"])
    await made(desk, hook, client_id=drafted.invoice.client.id)
    await made(desk, hook, client_id=drafted.invoice.client.id + 1)
    await made(desk, hook, events=["ticket.opened"])
    issued = {"state": "issued", "issued_at": datetime.now(UTC), "version": 2}
    after = drafted.invoice.model_copy(update=issued)
    for event in (
        drafted,
        drafted,
        InvoiceChanged(invoice=after, what="issued"),
        InvoiceChanged(invoice=after.model_copy(update={"version": 3})),  # told anew
    ):
        await desk.tell(event)
    await desk.heard(of_hook("sent"), count=3)
    told = [(one.recipient, one.template) for one in desk.told if of_hook("sent")(one)]
    assert sorted(told) == [
        ("webhook:1", "invoice.changed"),
        ("webhook:1", "invoice.drafted"),
        ("webhook:2", "invoice.changed"),
    ]
    data = next(e["data"] for e in hook.events if e["type"] == "invoice.changed")
    assert data["invoice_id"] == drafted.invoice.id
    assert (data["state"], data["changed"]) == ("issued", "issued")
    assert data["total"] == {"amount": "169.58", "currency": "EUR"}


async def test_what_was_not_taken_is_told_again_in_its_order(desk: Desk, hook: Hook) -> None:
    new = await made(desk, hook)
    hook.answers = ["500 oh", "302 there"]
    await desk.tell(replied(2))
    assert (await desk.heard(of_hook("queued"))).answer == "500 hi"
    second = replied(3)
    later = second.ticket.model_copy(update={"version": 2})
    await desk.tell(second.model_copy(update={"ticket": later}))
    await desk.make_due()
    await desk.run("UPDATE deliveries SET next_attempt_at = now() WHERE state = 'queued'")
    async with asyncio.timeout(10):
        while "302: redirects are not followed" not in [row["answer"] for row in await desk.rows()]:
            await asyncio.sleep(0.05)
    assert len(hook.told) == 2
    await desk.make_due()
    await desk.heard(of_hook("sent"), count=2)
    ids = [headers["webhook-id"] for headers, _ in hook.told]
    assert ids == ["evt_12_1"] * 3 + ["evt_12_2"]
    assert all(verified(new.secret, headers, body) for headers, body in hook.told)


async def test_one_that_is_gone_is_not_asked_again_and_can_be_told_all_anew(
    desk: Desk, hook: Hook
) -> None:
    new = await made(desk, hook)
    hook.answers = ["410 gone"]
    await desk.tell(replied(2))
    assert (await desk.heard(of_hook("failed"))).answer == "410 hi"
    since = datetime.now(UTC) - timedelta(hours=1)
    replay = ReplayWebhook(id=new.webhook.id, since=since, failed_only=True)
    assert (await ask(desk.broker, replay)).reply.count == 1
    await desk.heard(of_hook("sent"))
    assert (await ask(desk.broker, replay)).reply.count == 0
    whole = replay.model_copy(update={"failed_only": False})
    assert (await ask(desk.broker, whole)).reply.count == 1
    await desk.heard(of_hook("sent"), count=2)
    await change(desk, new.webhook.id, archived=True)
    await ask(desk.broker, whole)
    assert "switched off" in ((await desk.heard(of_hook("failed"), count=2)).answer or "")
    with pytest.raises(Conflict):
        await change(desk, new.webhook.id, enabled=True)


async def test_mails_go_out_while_a_webhook_hangs(desk: Desk, hook: Hook) -> None:
    await made(desk, hook, url="http://127.0.0.1:1/nobody")
    await desk.tell(replied(2))
    assert (await desk.heard(lambda told: told.channel == "mail")).state == "sent"
    waiting = await desk.heard(of_hook("queued"))
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at - datetime.now(UTC) > timedelta(seconds=30)


async def test_nobody_in_our_own_network_is_called(told: Settings, hook: Hook) -> None:
    async with desk_of(told) as desk:
        with pytest.raises(Invalid):
            await made(desk, hook)
        await made(desk, hook, url="https://example.com/")
        inside = hook.url.replace("127.0.0.1", "localhost")
        await desk.run(f"UPDATE webhooks SET url = '{inside}'")
        await desk.tell(replied(2))
        failed = await desk.heard(of_hook("failed"))
    assert failed.answer == "localhost is in a private network"
    assert hook.told == []


async def test_changes_name_what_was_seen(desk: Desk, hook: Hook) -> None:
    new = await made(desk, hook)
    changed = await change(desk, new.webhook.id, 1, events=("ticket.opened",), description="chat")
    assert (changed.version, changed.events, changed.description) == (2, ("ticket.opened",), "chat")
    assert changed.url == hook.url
    with pytest.raises(StaleVersion):
        await change(desk, new.webhook.id, 1, enabled=False)
    with pytest.raises(NotFound):
        await change(desk, 999, enabled=False)
    with pytest.raises(NotFound):
        await ask(desk.broker, ReplayWebhook(id=999, since=datetime.now(UTC)))


@pytest.mark.parametrize(
    ("url", "private", "fine"),
    [
        ("https://example.com/hook", False, True),
        ("https://93.184.216.34:8443/", False, True),
        ("http://example.com/", False, False),
        ("http://10.0.0.7/", True, True),
        ("https://10.0.0.7/", False, False),
        ("https://127.0.0.1/", False, False),
        ("https://[::1]/", False, False),
        ("https://[::ffff:10.0.0.7]/", False, False),
        ("https://169.254.169.254/", False, False),
        ("https://localhost/", False, False),
        ("https://user:pass@example.com/", True, False),
        ("ftp://example.com/", True, False),
        ("https://example.com:99999/", True, False),
        ("https:///x", True, False),
        ("javascript:alert(1)", True, False),
    ],
)
def test_what_can_be_a_webhook(url: str, private: bool, fine: bool) -> None:
    if fine:
        check_url(url, private=private)
    else:
        with pytest.raises(Invalid):
            check_url(url, private=private)


@pytest.mark.parametrize("address", ["10.1.2.3", "fe80::1", "224.0.0.1", "0.0.0.0", "100.64.0.1"])
def test_addresses_of_no_public_host(address: str) -> None:
    assert not is_public(address)
