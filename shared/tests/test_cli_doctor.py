"""`deskwire doctor` finds what is wrong, and nothing where all is well."""

import json
import re
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from command_line import HANDLED, NOWHERE, SETTINGS, Done, deskwire, fail, outbox_of, run_sql
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deskwire.messaging.rabbit import apply_topology
from deskwire.services import SERVICES


def findings(done: Done) -> dict[str, tuple[bool, str]]:
    """Check -> whether it is well, and what was found."""
    found = {}
    for line in done.out.splitlines():
        mark, title, words = re.fullmatch(r"(ok   |FAIL ) (.*?): (.*)", line).groups()  # type: ignore[union-attr] # a line that does not match fails the test
        found[title] = (mark == "ok   ", words)
    return found


async def test_doctor_finds_nothing(
    databases: dict[str, str], amqp_url: str, tmp_path: Path
) -> None:
    await apply_topology(amqp_url)
    done = await deskwire(
        "doctor",
        DATABASE_URLS=json.dumps(databases),
        BROKER_URL=amqp_url,
        BLOB_URL=f"file://{tmp_path / 'blobs'}",
        **SETTINGS,
    )
    found = findings(done)
    assert (done.code, [title for title, (well, _) in found.items() if not well]) == (0, [])
    assert len(found) == 5 * len(SERVICES) + 3 + 4


async def test_doctor_says_in_few_words_that_blobs_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / sha256(b"deskwire doctor").hexdigest()[:2]).write_text("in the way")
    url = f"file://{tmp_path}"
    nowhere = json.dumps({"gateway": NOWHERE})
    done = await deskwire("doctor", DATABASE_URLS=nowhere, BROKER_URL="memory://x", BLOB_URL=url)
    well, words = findings(done)["blob store"]
    assert not well
    assert words.startswith(f"{url} cannot be written and read: ")
    assert "directory" in words
    assert "Debug" not in words


async def test_doctor_finds_what_is_late(databases: dict[str, str]) -> None:
    late = "INSERT INTO alarms VALUES (1, now() - interval '2 min', 1)"
    await run_sql(databases["scheduler-svc"], late)
    done = await deskwire("doctor", DATABASE_URLS=json.dumps(databases), BROKER_URL="memory://x")
    assert "what is due waits for 1" in findings(done)["scheduler-svc schedules and alarms"][1]


async def test_doctor_finds_mails_that_somebody_is_to_look_at(databases: dict[str, str]) -> None:
    mail = "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, state) VALUES"
    await run_sql(databases["mail-ingest-svc"], f"{mail} ('m', 'INBOX', 1, 1, 9, 'quarantined')")
    unsent = """
        INSERT INTO deliveries (about, template, recipient, message_id, context, attempts, answer)
        VALUES ('entry:1', 'note', 'bob@example.com', '<1@x>', '{}', 4, '535 no')
        """
    await run_sql(databases["notify-svc"], unsent)

    async def found() -> dict[str, tuple[bool, str]]:
        environment = {"DATABASE_URLS": json.dumps(databases), "BROKER_URL": "memory://x"}
        return findings(await deskwire("doctor", **environment))

    first = await found()
    look = "1 are quarantined: see `deskwire mail inbound --state quarantined`"
    assert first["mail-ingest-svc mails"] == (True, look)
    assert first["notify-svc mails"] == (True, "1 to be tried again")
    await run_sql(databases["mail-ingest-svc"], "UPDATE mails SET state = 'failed'")
    late = "UPDATE deliveries SET queued_at = now() - interval '3 h'"
    await run_sql(databases["notify-svc"], late)
    then = await found()
    assert not then["mail-ingest-svc mails"][0]
    told = "1 to be tried again, the oldest for 3 h: 535 no"
    assert then["notify-svc mails"] == (False, told)


async def test_doctor_finds_what_is_wrong(
    databases: dict[str, str], amqp_url: str, tmp_path: Path
) -> None:
    await fail(databases["mail-ingest-svc"], [uuid4()], parked=True)
    await run_sql(databases["gateway"], "UPDATE alembic_version SET version_num = '0000'")
    async with outbox_of(databases["notify-svc"]) as outbox, outbox.transaction() as tx:
        tx.emit(HANDLED)
    late = "UPDATE outbox SET created_at = now() - interval '2 min'"
    await run_sql(databases["notify-svc"], late)
    (tmp_path / "file").touch()
    done = await deskwire(
        "doctor",
        DATABASE_URLS=json.dumps(databases | {"scheduler-svc": NOWHERE}),
        BROKER_URL=amqp_url,
        BLOB_URL=f"file://{tmp_path / 'file'}",
        **SETTINGS | {"SIGNING_KEY": "short"},
    )
    found = findings(done)
    assert done.code == 1
    assert done.err == ""
    wrong = {title: words for title, (well, words) in found.items() if not well}
    assert "DESKWIRE_SIGNING_KEY" in wrong.pop("ticket-svc settings")
    assert "1 were given up" in wrong.pop("mail-ingest-svc dead letters")
    assert "schema 0000" in wrong.pop("gateway database")
    assert "1 messages wait" in wrong.pop("notify-svc outbox")
    assert "ticket-svc" in wrong.pop("broker")
    assert "cannot be used" in wrong.pop("blob store")
    scheduler = ("database", "clock", "outbox", "dead letters", "schedules and alarms")
    for title in (f"scheduler-svc {look}" for look in scheduler):
        assert "cannot be reached" in wrong.pop(title)
    assert set(wrong) == {"queues", "dead-letter queues"}  # there are none


async def test_keys_of_mails_are_looked_at_and_told(
    databases: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    made = Ed25519PrivateKey.generate()
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    one = {"domain": "example.com", "selector": "desk", "key_file": str(key)}
    told = await deskwire("mail", "dkim", DKIM=json.dumps([one]), **SETTINGS)
    (line,) = told.lines()
    assert line.startswith('desk._domainkey.example.com. TXT "v=DKIM1; k=ed25519; p=')
    none = await deskwire("mail", "dkim", **SETTINGS)
    assert "DESKWIRE_DKIM names no key" in none.refused()
    gone = json.dumps([one | {"key_file": str(tmp_path / "gone.pem")}])
    urls = json.dumps({"notify-svc": databases["notify-svc"]})
    found = findings(
        await deskwire(
            *("doctor", "--service", "notify-svc"),
            DATABASE_URLS=urls,
            BROKER_URL="memory://x",
            DKIM=gone,
            **SETTINGS,
        )
    )
    well, words = found["notify-svc settings"]
    assert not well
    assert "DESKWIRE_DKIM" in words
    assert "gone.pem: No such file" in words
