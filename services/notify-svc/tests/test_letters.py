"""Letters that are written ahead are those that are asked for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from deskwire.blobs import open_blobs
from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from notify_svc.domain.mails import Mail, Notice
from notify_svc.rendering.letter import CannotRender, Letterhead
from notify_svc.rendering.samples import samples
from notify_svc.sender.letters import SHORT, Writer
from notify_svc.store.deliveries import Claimed

SAMPLES = dict(samples("en"))
REPLY = SAMPLES["public-reply"]
HEAD = Letterhead("Support", "support@example.com", "support@example.com")


def claimed(mail: Mail, number: int = 1, **changes: Any) -> Claimed:
    known: dict[str, Any] = {
        "id": number,
        "about": mail.about,
        "template": mail.template,
        "recipient": mail.recipient,
        "message_id": mail.message_id,
        "context": mail.notice.model_dump_json(),
        "created_at": datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
        "attempts": 1,
        "ambiguous": 0,
        "suppressed": None,
        "age": 0.0,
    }
    return Claimed(**known | changes)


def saying(**fields: Any) -> Mail:
    assert isinstance(REPLY.notice, Notice)
    return REPLY.saying(**fields)


@pytest.fixture
def writer() -> Writer:
    return Writer(HEAD, open_blobs("memory://"), None, attached_bytes=1000)  # type: ignore[arg-type]  # only digests ask it


@pytest.mark.parametrize("name", [name for name in SAMPLES if not name.startswith("digest")])
async def test_a_letter_that_was_expected_is_the_same(writer: Writer, name: str) -> None:
    claim = claimed(SAMPLES[name])
    asked = await writer.letter(claim)
    writer.expect([claim])
    assert await writer.letter(claim) == asked == await writer.letter(claim)


async def test_what_is_wrong_with_one_of_many_is_told_at_its_turn_and_harms_no_other(
    writer: Writer,
) -> None:
    good, own, other_time = (
        claimed(REPLY, 1),
        claimed(REPLY, 2, recipient=HEAD.address),
        claimed(REPLY, 3, context="{}"),
    )
    writer.expect([own, other_time, good])
    assert (await writer.letter(good)).recipient == REPLY.recipient
    with pytest.raises(CannotRender, match="our own address"):
        await writer.letter(own)
    with pytest.raises(ValueError, match="ticket_id"):
        await writer.letter(other_time)


def test_nothing_is_kept_of_what_is_long_has_files_or_is_not_sent(writer: Writer) -> None:
    file = StoredFile(id=1, name="a.txt", size=9, type="text/plain", blob_id="ab" * 32)
    writer.expect(
        [
            claimed(saying(body=Body(text="many words " * SHORT)), 1),
            claimed(saying(body=Body(text="short", blob_id="ab" * 32)), 2),
            claimed(saying(files=(file,)), 3),
            claimed(REPLY, 4, suppressed="bounced"),
        ]
    )
    assert writer._drafts == {}
