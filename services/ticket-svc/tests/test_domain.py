"""The rules, without a database."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.contracts.mail import Address, Body, MailReceived
from deskwire.errors import Invalid
from ticket_svc.domain import senders, threads
from ticket_svc.domain.threads import Signer

SIGNER = Signer((b"k" * 32,), "example.com")
OTHER = Signer((b"o" * 32,), "example.com")


def mail(**fields: object) -> MailReceived:
    values = {
        "mail_id": 1,
        "mailbox": "support",
        "sender": Address(email="alice@client.test"),
        "received_at": datetime(2026, 1, 1, tzinfo=UTC),
        "body": Body(text="hello"),
    }
    return MailReceived.model_validate(values | fields)


@given(st.integers(min_value=1, max_value=10**18 - 1))
def test_a_token_is_found_in_every_place_it_is_sent_to(entry_id: int) -> None:
    token = SIGNER.token(entry_id)
    for text in (f"<{token}@example.com>", f"<team.{token}@x.test>", f"support+{token}@x.test"):
        assert SIGNER.ids(text) == [entry_id]
        assert SIGNER.ids(text.upper()) == [entry_id]


@given(st.integers(min_value=1, max_value=10**9))
def test_a_token_of_another_key_is_not_ours(entry_id: int) -> None:
    assert SIGNER.ids(f"<{OTHER.token(entry_id)}@example.com>") == []


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_signature_is_of_one_entry(mine: int, other: int) -> None:
    forged = SIGNER.token(mine).replace(f"e{mine}-", f"e{other}-")
    assert SIGNER.ids(f"<{forged}@example.com>") == ([mine] if mine == other else [])


@given(st.integers(min_value=1, max_value=10**9))
def test_a_token_is_of_one_kind(id: int) -> None:
    token = SIGNER.of_invoices.token(id)
    assert SIGNER.of_invoices.ids(f"<{token}@example.com>") == [id]
    for text in (token, token.replace("i", "e", 1)):
        assert SIGNER.ids(f"<{text}@example.com>") == []


@given(st.text())
def test_no_text_breaks_the_search_for_tokens(text: str) -> None:
    assert SIGNER.ids(text) == []


def test_the_reply_address_counts_before_references() -> None:
    answer = mail(
        to=[Address(email=f"support+{SIGNER.token(7)}@example.com")],
        references=[SIGNER.message_id(3)],
    )
    assert threads.answered_ids(answer, SIGNER) == [7]


def test_the_latest_reference_counts_first() -> None:
    answer = mail(references=[SIGNER.message_id(3), SIGNER.message_id(4)])
    assert threads.answered_ids(answer, SIGNER) == [4, 3]


@pytest.mark.parametrize(
    ("subject", "named"),
    [
        ("Re: [TCK-12] Printer", [("TCK-", 12), ("TCK-1", 2)]),
        ("AW: [tck-7]", [("tck-", 7)]),
        ("[T2-5] x [7]", [("T2-", 5), ("", 7)]),
        ("[A.B-05]", [("A.B-0", 5)]),
        ("TCK-12", []),
        ("[TCK-] [TCK-x] [TCK-1 ]", []),
    ],
)
def test_what_a_subject_may_refer_to(subject: str, named: list[tuple[str, int]]) -> None:
    assert threads.subject_references(subject) == named


@given(st.text(max_size=3000))
def test_no_subject_breaks_the_search_for_references(subject: str) -> None:
    for prefix, number in threads.subject_references(subject):
        assert f"{prefix}{number}]" in subject
        assert 0 < number < 10**9


@given(st.lists(st.text(min_size=1), max_size=60))
def test_references_keep_the_first_and_the_latest(message_ids: list[str]) -> None:
    kept = threads.references(message_ids)
    assert len(kept) <= threads.REFERENCES_KEPT
    assert len(set(kept)) == len(kept)
    if message_ids:
        assert kept[0] == message_ids[0]


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Alice@Client.Test", "alice@client.test"),
        (" a@b.test ", "a@b.test"),
        ("a@bücher.test", "a@xn--bcher-kva.test"),
        ('"a@b"@c.test', '"a@b"@c.test'),
        ("\u00dcnal@c.test", "\u00fcnal@c.test"),
        ("\u212aate@c.test", "\u212aate@c.test"),  # the Kelvin sign: not kate
        ("\u0130@c.test", "\u0130@c.test"),
    ],
)
def test_addresses_that_are_the_same_have_one_key(email: str, key: str) -> None:
    assert senders.email_key(email) == key


@pytest.mark.parametrize("email", ["", "a", "@b.test", "a@", "a b@c.test"])
def test_what_is_no_address(email: str) -> None:
    with pytest.raises(Invalid):
        senders.email_key(email)
    assert senders.refusal(mail(sender=Address(email=email))) == "no usable sender"


def test_why_a_mail_is_no_ticket() -> None:
    assert senders.refusal(mail(sender=None)) == "no usable sender"
    assert senders.refusal(mail(automatic="List-Id", kind="list")) == "list: List-Id"
    assert senders.refusal(mail(automatic="Auto-Submitted")) == "automatic mail: Auto-Submitted"


@given(st.text(max_size=2000))
def test_a_ticket_always_has_a_subject(subject: str) -> None:
    shown = senders.subject_of(mail(subject=subject))
    assert 0 < len(shown) <= senders.SUBJECT_CHARACTERS
