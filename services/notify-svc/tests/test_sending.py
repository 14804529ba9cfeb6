"""From an event to the mail server, and what is said of it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from notify_desk import ANN, Desk, desk_of, opened, parsed, part, replied, settings

from deskwire.blobs import open_blobs
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from deskwire.contracts.notifications import RetryDelivery
from deskwire.contracts.replay import ReplayDocuments
from deskwire.errors import Conflict, NotFound
from deskwire.links import FileLink, Links
from deskwire.local import Smtp
from deskwire.messaging.requests import ask
from notify_svc.sender import queue
from notify_svc.settings import Settings
from notify_svc.store import deliveries


def recipients(server: Smtp) -> list[str]:
    return [recipient for mail in server.mails for recipient in mail.recipients]


async def test_the_three_mails_of_a_ticket_go_out(desk: Desk, smtp_server: Smtp) -> None:
    await desk.tell(opened(team=["team@example.com", "boss@example.com"]))
    await desk.tell(replied(watchers=["bob@client.test"]))
    await desk.state("sent", count=5)
    assert sorted(recipients(smtp_server)) == [
        *("alice@client.test", "alice@client.test", "bob@client.test"),
        *("boss@example.com", "team@example.com"),
    ]
    assert {mail.sender for mail in smtp_server.mails} == {
        "support+e1-abcdefghijklmnop@example.com",
        "support+e2-abcdefghijklmnop@example.com",
    }
    subjects = [parsed(mail.raw)["Subject"] for mail in smtp_server.mails]
    assert sorted(set(subjects)) == [
        "New ticket - Client Ltd - [TCK-12] - Printer on fire",
        "Re: [TCK-12] - Printer on fire",
        "Ticket created - [TCK-12] - Printer on fire",
    ]


async def test_what_is_told_of_a_delivery(desk: Desk, smtp_server: Smtp) -> None:
    await desk.tell(opened())
    told = await desk.state("sent")
    assert (told.ticket_id, told.template, told.recipient) == (
        *(12, "ticket-created"),
        "alice@client.test",
    )
    assert told.answer == "250 2.0.0 OK"
    assert told.attempts == 1
    assert told.sent_at is not None
    assert told.next_attempt_at is None
    assert told.message_id == parsed(smtp_server.mails[0].raw)["Message-ID"]
    assert await deliveries.recent(desk.database) == [told]


async def test_a_mail_leaves_when_its_row_is_committed(
    told: Settings, smtp_server: Smtp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when somebody looks the next time: nobody does in this test."""
    monkeypatch.setattr(queue, "POLL_SECONDS", 3600)
    async with desk_of(told) as desk:
        for number in range(3):
            await desk.tell(opened(number))
            await desk.state("sent", count=number + 1)


async def test_an_event_that_is_told_twice_makes_no_second_mail(
    desk: Desk, smtp_server: Smtp
) -> None:
    event, message_id = opened(team=["team@example.com"]), uuid4()
    for id in (message_id, message_id, uuid4()):
        await desk.tell(event, id=id)
    await desk.tell(replied())
    await desk.state("sent", count=3)
    assert len(await desk.rows()) == 3
    assert len(smtp_server.mails) == 3


async def test_a_mail_that_is_put_off_is_sent_later(desk: Desk, smtp_server: Smtp) -> None:
    answers = iter(["451 4.7.1 come back later", None])
    smtp_server.script = lambda command, _: next(answers) if command == "RCPT" else None
    await desk.tell(opened())
    deferred = await desk.state("queued")
    assert deferred.answer == "451 4.7.1 come back later"
    assert deferred.next_attempt_at is not None
    wait = deferred.next_attempt_at - datetime.now(UTC)
    assert timedelta(seconds=40) < wait <= timedelta(seconds=60)
    await desk.make_due()
    assert (await desk.state("sent")).attempts == 2


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_what_is_refused_is_told_and_harms_only_itself(
    desk: Desk, smtp_server: Smtp, command: str
) -> None:
    answers = iter(["550 5.1.1 unknown", *[None] * 5])
    smtp_server.script = lambda given, _: next(answers) if given == command else None
    await desk.tell(replied(watchers=["b@client.test", "c@client.test", "d@client.test"]))
    await desk.state("sent", count=3)
    failed = await desk.state("failed")
    assert failed.answer == "550 5.1.1 unknown"
    assert failed.attempts == 1
    assert len(smtp_server.mails) == 3


async def test_a_lost_answer_is_in_doubt_and_the_mail_repeated_once(
    desk: Desk, smtp_server: Smtp
) -> None:
    answers = iter(["disconnect", None])
    smtp_server.script = lambda command, _: next(answers) if command == "DATA" else None
    before = queue.REPEATED._value.get()
    await desk.tell(opened())
    uncertain = await desk.state("uncertain")
    assert "after the mail was handed over" in (uncertain.answer or "")
    assert uncertain.next_attempt_at is not None
    assert uncertain.next_attempt_at - datetime.now(UTC) > timedelta(seconds=500)
    await desk.make_due()
    assert (await desk.state("sent")).attempts == 2
    first, second = smtp_server.mails
    assert first.raw == second.raw
    assert queue.REPEATED._value.get() == before + 1


async def test_a_connection_lost_before_the_mail_is_no_doubt(desk: Desk, smtp_server: Smtp) -> None:
    answers = iter(["disconnect", None])
    smtp_server.script = lambda command, _: next(answers) if command == "RCPT" else None
    await desk.tell(opened())
    waiting = await desk.state("queued")
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at - datetime.now(UTC) < timedelta(seconds=6)
    await desk.make_due()
    assert (await desk.state("sent")).attempts == 2
    assert len(smtp_server.mails) == 1


async def test_a_kept_connection_that_the_server_has_closed_costs_no_attempt(
    told: Settings, smtp_server: Smtp
) -> None:
    async with desk_of(told.model_copy(update={"smtp_connections": 1})) as desk:
        await desk.tell(opened(1))
        await desk.state("sent")
        answers = iter(["disconnect", None])
        smtp_server.script = lambda command, _: next(answers) if command == "MAIL" else None
        await desk.tell(opened(2))
        assert (await desk.state("sent", count=2)).attempts == 1


async def test_mails_of_a_ticket_reach_a_recipient_in_their_order(
    desk: Desk, smtp_server: Smtp
) -> None:
    answers = iter(["451 later"])
    smtp_server.script = lambda command, _: next(answers, None) if command == "RCPT" else None
    await desk.tell(opened())
    await desk.state("queued")
    await desk.tell(replied(2, author=ANN, body=Body(text="one")))
    await desk.tell(replied(3, author=ANN, body=Body(text="two"), watchers=["bob@client.test"]))
    assert (await desk.state("sent")).recipient == "bob@client.test"
    assert recipients(smtp_server) == ["bob@client.test"]
    await desk.make_due()
    await desk.state("sent", count=4)
    ids = [parsed(m.raw)["Message-ID"] for m in smtp_server.mails if "bob" not in m.recipients[0]]
    assert [one[1:3] for one in ids] == ["e1", "e2", "e3"]


async def test_an_address_that_is_none_fails_with_its_reason(desk: Desk, smtp_server: Smtp) -> None:
    bad = ["x@b.test\r\nRCPT TO:<e@evil.test>", "nobody", "support@example.com"]
    await desk.tell(replied(watchers=bad))
    await desk.state("failed", count=3)
    await desk.state("sent")
    answers = sorted(told.answer or "" for told in desk.told if told.state == "failed")
    assert answers == [
        "nobody is not a mail address",
        "support@example.com is our own address: the mail would come back as a ticket",
        "x@b.test RCPT TO:<e@evil.test> is not a mail address",
    ]
    assert recipients(smtp_server) == ["alice@client.test"]


async def test_a_row_that_cannot_be_read_harms_only_itself(desk: Desk, smtp_server: Smtp) -> None:
    await desk.run(
        "INSERT INTO deliveries (about, ticket_id, template, recipient, message_id, context)"
        " VALUES ('entry:1', 12, 'public-reply', 'a@client.test', '<e1@mail.example.com>', '{}')"
    )
    await desk.tell(replied(2))
    await desk.state("failed")
    await desk.state("sent")
    assert recipients(smtp_server) == ["alice@client.test"]


async def test_other_scripts_in_addresses(desk: Desk, smtp_server: Smtp) -> None:
    await desk.tell(replied(watchers=["jörg@exämple.test"]))
    await desk.state("sent", count=2)
    assert "jörg@xn--exmple-cua.test" in recipients(smtp_server)


async def test_a_long_text_is_read_from_its_blob(
    database_url: str, smtp_server: Smtp, tmp_path: Path
) -> None:
    url = f"file://{tmp_path}"
    body = await open_blobs(url).fold(Body(text="many words " * 20_000 + "the end"), "mails/07/7")
    assert body.blob_id
    async with desk_of(settings(database_url, smtp_server.url, blob_url=url)) as desk:
        await desk.tell(replied(2, body=body))
        await desk.tell(replied(3, body=body.model_copy(update={"blob_id": "ab" * 32})))
        await desk.state("sent", count=2)
    whole, beginning = (parsed(mail.raw).get_body(("plain",)) for mail in smtp_server.mails)
    assert whole is not None
    assert beginning is not None
    assert "the end" in whole.get_content()
    assert "[...]" in beginning.get_content()


async def test_files_go_along_as_far_as_they_fit(
    database_url: str, smtp_server: Smtp, tmp_path: Path
) -> None:
    url = f"file://{tmp_path}"
    small = await open_blobs(url).put(b"x" * 600)
    named = [
        *(("a.txt", 600, small), ("large.iso", 10**9, "cd" * 32)),
        *(("gone.txt", 300, "ab" * 32), ("b.txt", 600, small)),
    ]
    files = tuple(
        StoredFile(id=size, name=name, size=size, type="text/plain", blob_id=blob)
        for name, size, blob in named
    )
    told = settings(database_url, smtp_server.url, blob_url=url, attached_bytes=1000)
    async with desk_of(told) as desk:
        await desk.tell(replied(2, attachments=files))
        await desk.state("sent")
    mail = parsed(smtp_server.mails[0].raw)
    assert [each.get_filename() for each in mail.iter_attachments()] == ["a.txt"]
    text = part(mail, "plain")
    assert "These files are too large for a mail; ask us for them: large.iso, b.txt\n" in text


async def test_what_does_not_fit_can_be_fetched_by_a_link(
    database_url: str, smtp_server: Smtp
) -> None:
    file = StoredFile(id=7, name="<b>.iso", size=10**9, type="x/y", blob_id="cd" * 32)
    links = {"public_url": "https://desk.example.com", "link_key": "a link key for tests alone"}
    async with desk_of(settings(database_url, smtp_server.url, **links)) as desk:
        await desk.tell(replied(2, attachments=(file,)))
        await desk.state("sent")
    mail = parsed(smtp_server.mails[0].raw)
    text, html = part(mail, "plain"), part(mail, "html")
    found = re.search(r"\n<b>\.iso: (https://desk\.example\.com/file/(\S+))\n", text)
    assert found is not None
    assert f'<a href="{found[1]}"' in html
    assert "&lt;b&gt;.iso</a>" in html
    keys = Links.of("a link key for tests alone")
    assert keys.read(FileLink, found[2], datetime.now(UTC)) == FileLink(7, "en")


async def test_a_mail_waits_while_its_files_cannot_be_read(
    database_url: str, smtp_server: Smtp, tmp_path: Path
) -> None:
    url = f"file://{tmp_path}/blobs"
    blob = await open_blobs(url).put(b"x" * 600)
    file = StoredFile(id=1, name="a.txt", size=600, type="text/plain", blob_id=blob)
    async with desk_of(settings(database_url, smtp_server.url, blob_url=url)) as desk:
        path = next(each for each in (tmp_path / "blobs").rglob("*") if each.is_file())
        path.rename(tmp_path / "away")
        path.symlink_to(path)
        await desk.tell(replied(2, attachments=(file,)))
        assert "cannot be read" in ((await desk.state("queued")).answer or "")
        path.unlink()
        (tmp_path / "away").rename(path)
        await desk.make_due()
        await desk.state("sent")
    (attached,) = parsed(smtp_server.mails[0].raw).iter_attachments()
    assert attached.get_filename() == "a.txt"


async def test_a_maildir_holds_each_mail_once(database_url: str, tmp_path: Path) -> None:
    async with desk_of(settings(database_url, f"maildir:{tmp_path}/out")) as desk:
        await desk.tell(opened(team=["team@example.com"]))
        await desk.state("sent", count=2)
        files = sorted((tmp_path / "out" / "new").iterdir())
        before = [file.read_bytes() for file in files]
        await desk.run("UPDATE deliveries SET state = 'queued', next_attempt_at = now()")
        await desk.state("sent", count=4)
    assert sorted((tmp_path / "out" / "new").iterdir()) == files
    assert [file.read_bytes() for file in files] == before
    assert len(files) == 2
    assert list((tmp_path / "out" / "tmp").iterdir()) == []
    assert parsed(before[0])["Subject"]


async def test_many_mails_go_out_once_each(desk: Desk, smtp_server: Smtp) -> None:
    team = [f"agent{number}@example.com" for number in range(300)]
    await desk.tell(opened(contact=None, team=team))
    await desk.state("sent", count=300)
    assert sorted(recipients(smtp_server)) == sorted(team)


async def test_a_thousand_recipients_get_one_mail_each(database_url: str, tmp_path: Path) -> None:
    watchers = [f"person{number}@client.test" for number in range(1000)]
    async with desk_of(settings(database_url, f"maildir:{tmp_path}/out")) as desk:
        await desk.tell(replied(watchers=watchers))
        await desk.state("sent", count=1001)
        told = [parsed(file.read_bytes())["To"] for file in (tmp_path / "out" / "new").iterdir()]
        assert sorted(told) == sorted(["Alice <alice@client.test>", *watchers])
        assert {row["attempts"] for row in await desk.rows()} == {1}


async def test_operators_see_and_repeat_deliveries(desk: Desk, smtp_server: Smtp) -> None:
    answers = iter(["550 no", None, None])
    smtp_server.script = lambda command, _: next(answers) if command == "DATA" else None
    await desk.tell(opened(1))
    failed = await desk.state("failed")
    await desk.tell(opened(2))
    sent = await desk.state("sent")
    assert [one.id for one in await deliveries.recent(desk.database)] == [sent.id, failed.id]
    assert await deliveries.recent(desk.database, limit=1) == [sent]
    assert await deliveries.recent(desk.database, "failed") == [failed]
    assert (await ask(desk.broker, RetryDelivery(id=failed.id))).reply.state == "queued"
    await desk.heard(lambda told: told.id == failed.id and told.state == "sent")
    with pytest.raises(Conflict, match="is sent"):
        await ask(desk.broker, RetryDelivery(id=failed.id))
    with pytest.raises(NotFound):
        await ask(desk.broker, RetryDelivery(id=999))


async def test_deliveries_can_be_told_anew(desk: Desk) -> None:
    await desk.tell(opened(team=["team@example.com"]))
    await desk.state("sent", count=2)
    before = sorted(desk.told, key=lambda told: told.id)
    desk.told.clear()
    await desk.tell(ReplayDocuments())
    await desk.state("sent", count=2)
    assert sorted(desk.told, key=lambda told: told.id) == before
