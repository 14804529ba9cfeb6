"""`deskwire mail`: mails in and out."""

import json
import subprocess
from pathlib import Path

import pytest
from command_line import DESKWIRE, deskwire, run_sql

from deskwire.local import Smtp, free_port


async def test_the_ledger_and_the_deliveries_are_listed(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    await run_sql(
        databases["mail-ingest-svc"],
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, state, subject)"
        " VALUES ('support', 'INBOX', 1, '1', 10, 'ignored', 'Buy now')",
    )
    columns, row = (await deskwire("mail", "inbound", **settings)).lines()
    shown = dict(zip(columns.split("\t"), row.split("\t"), strict=True))
    assert (shown["state"], shown["subject"], shown["sender"]) == ("ignored", "Buy now", "-")
    assert len((await deskwire("mail", "inbound", "--state", "failed", **settings)).lines()) == 1
    wrong = await deskwire("mail", "inbound", "--state", "lost", **settings)
    assert "lost is none of received, " in wrong.refused()
    (columns,) = (await deskwire("mail", "outbound", "--state", "sent", **settings)).lines()
    assert "recipient" in columns


@pytest.mark.parametrize(
    "body", [b"Yes.\r\n\r\n> No?\xff\r\n> No?", b'Yes.<blockquote type="cite">No?</blockquote>']
)
def test_strip_leaves_what_a_person_wrote(body: bytes) -> None:
    told = json.loads(stripped(body, "--json"))
    assert (told["visible"], told["signature"], told["shown_all"]) == ("Yes.", "", False)
    assert told["quoted"].startswith(("> No?", "No?"))
    assert stripped(body) == "Yes.\n"
    assert stripped(b"<p>1 < 2</p>", "--plain") == "<p>1 < 2</p>\n"


def stripped(body: bytes, *options: str) -> str:
    command = (str(DESKWIRE), "mail", "strip", *options)
    return subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout.decode()


async def test_what_is_understood_of_mails_in_files(tmp_path: Path) -> None:
    mail, missing = tmp_path / "a.eml", tmp_path / "none.eml"
    mail.write_bytes(b"From: Ann <ann@example.org>\nSubject: =?utf-8?q?H=C3=AF?=\n\nHello\n")
    done = await deskwire("mail", "parse", "--json", str(mail), str(missing))
    assert (done.code, done.err) == (1, "")
    told, wrong = map(json.loads, done.out.splitlines())
    assert (told["file"], told["subject"], told["text"]) == (str(mail), "Hï", "Hello")
    assert told["from"] == [{"name": "Ann", "address": "ann@example.org"}]
    assert told["class"] == {"kind": "person", "reason": "", "recipients": []}
    assert "No such file" in wrong["error"]
    assert len((await deskwire("mail", "parse", str(mail))).lines()) == 2


async def test_a_mail_by_hand_says_what_the_server_answers(smtp_server: Smtp) -> None:
    settings = {"SMTP_URL": smtp_server.url, "MAIL_FROM": "support@example.com"}
    by_hand = ("mail", "test", "--to", "ann@example.org", "--language", "de")
    assert (await deskwire(*by_hand, **settings)).lines() == ["250 2.0.0 OK"]
    assert smtp_server.mails[0].recipients == ("ann@example.org",)
    assert b"Content-Language: de" in smtp_server.mails[0].raw
    smtp_server.script = lambda command, _: "550 5.7.1 not you" if command == "MAIL" else None
    assert "550 5.7.1 not you" in (await deskwire(*by_hand, **settings)).refused()
    nowhere = settings | {"SMTP_URL": f"smtp://127.0.0.1:{free_port()}"}
    assert "127.0.0.1" in (await deskwire(*by_hand, **nowhere)).refused()
    unknown = await deskwire(*by_hand, "--mail", "tea", **settings)
    assert "there is no mail tea" in unknown.refused()
