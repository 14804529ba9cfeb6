"""What makes two mails the same, and what of a mail fits into a message."""

from datetime import UTC, datetime

import pytest
from post_office import a_mail

from deskwire.contracts.base import INLINE_TEXT_BYTES
from deskwire.contracts.mail import Address, Attachment, Body
from deskwire.messaging.envelope import wrap
from mail_ingest_svc.domain import Listed, chunks, content_digest, folder_for, mail_received
from mail_ingest_svc.parse import ParsedMail

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MIB = 1024 * 1024


def test_the_way_a_mail_took_does_not_change_it() -> None:
    mail = a_mail()
    relayed = b"Received: from a by b\nDelivered-To: billing@example.com\n" + mail
    assert content_digest(relayed) == content_digest(mail)
    assert content_digest(mail.replace(b"\n", b"\r\n")) == content_digest(mail)


@pytest.mark.parametrize(
    "other",
    [
        a_mail(Message_ID="<1@example.org>", text="Another text."),
        a_mail(Message_ID="<1@example.org>", subject="Another subject"),
        a_mail(Message_ID="<1@example.org>", Date="Mon, 2 Mar 2026 09:00:01 +0100"),
        a_mail(Message_ID="<1@example.org>", From="mallory@example.org"),
        a_mail(Message_ID="<2@example.org>"),
    ],
)
def test_a_reused_message_id_does_not_make_two_mails_one(other: bytes) -> None:
    assert content_digest(other) != content_digest(a_mail(Message_ID="<1@example.org>"))


@pytest.mark.parametrize("header", ["Message-ID", "Date"])
@pytest.mark.parametrize("value", ["", None])
def test_without_id_or_date_every_byte_counts(header: str, value: str | None) -> None:
    lines = a_mail().split(b"\n")
    kept = [line for line in lines if not line.startswith(header.encode())]
    if value is not None:
        kept.insert(0, header.encode() + b": ")
    mail = b"\n".join(kept)
    assert content_digest(mail) != content_digest(b"Received: from a by b\n" + mail)
    assert content_digest(mail) == content_digest(bytes(mail))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1] * 120, [50, 50, 20]),
        ([6 * MIB, 6 * MIB, 1, 1], [1, 3]),
        ([40 * MIB, 1], [1, 1]),
        ([500 * MIB, 500 * MIB, 1], [3]),
    ],
)
def test_chunks_are_bounded_by_number_and_size(sizes: list[int], expected: list[int]) -> None:
    listed = [Listed(str(uid), size) for uid, size in enumerate(sizes)]
    taken = list(chunks(listed, 50 * MIB))
    assert [len(chunk) for chunk in taken] == expected
    assert [mail for chunk in taken for mail in chunk] == listed


def test_where_a_mail_goes() -> None:
    def place(state: str, size: int) -> str:
        return folder_for(state, size, limit=100, processed="Done")

    assert place("received", 100) == "Done"
    assert place("duplicate", 1) == "Done"
    assert place("received", 101) == "Oversize"
    assert place("failed", 1) == place("failed", 101) == "Failed"


def test_the_largest_mail_fits_into_a_message() -> None:
    people = tuple(Address(name="Ж" * 500, email=f"{n}@example.org") for n in range(2000))
    parsed = ParsedMail(
        message_id="m" * 500,
        sender=Address(name='"' * 500, email="jane@example.org"),
        to=people,
        cc=people,
        subject="\U0001f525" * 1000,
        in_reply_to=("r" * 500,) * 50,
        references=tuple(f"{n}{'r' * 490}@example.org" for n in range(50)),
        defects=("defect",) * 1000,
    )
    attachment = Attachment(
        blob_id="b" * 64, name="ж" * 255, type="t" * 100, size=1, sha256="s" * 64
    )
    body = Body(text='"' * (INLINE_TEXT_BYTES // 2), html="\n" * (INLINE_TEXT_BYTES // 2))
    event = mail_received(1, "support", parsed, body, [attachment] * 200, received_at=NOW)
    wrap(event)  # refuses what is larger than 256 KiB
    assert event.body == body
    assert event.references[-1] == f"<{parsed.references[-1]}>"
    assert 10 < len(event.attachments) < 200
    left_out = ("recipients-left-out", "references-left-out", "attachments-left-out")
    assert event.defects[-3:] == left_out


def test_an_ordinary_mail_loses_nothing() -> None:
    parsed = ParsedMail(
        sender=Address(email="jane@example.org"),
        to=tuple(Address(name="Someone", email=f"{n}@example.org") for n in range(100)),
        references=tuple(f"{n}@example.org" for n in range(50)),
    )
    event = mail_received(1, "support", parsed, Body(text="Hello"), [], received_at=NOW)
    references = tuple(f"<{id}>" for id in parsed.references)
    assert (event.to, event.references, event.defects) == (parsed.to, references, ())
