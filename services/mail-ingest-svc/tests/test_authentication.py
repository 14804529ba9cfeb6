"""What our mail server says of a sender, and what others say in its name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_ingest_svc.parse import parse

OURS = "mx.example.com"
PASS = "mx.example.com; dmarc=pass (p=reject; dis=none) header.from=client.test"
FAIL = "mx.example.com; spf=pass smtp.mailfrom=evil.test; dmarc=fail header.from=client.test"


def found(*fields: str, sender: str = "Alice <alice@client.test>", name: str = OURS) -> str:
    head = [*(f"Authentication-Results: {field}" for field in fields), f"From: {sender}"]
    return parse("\n".join([*head, "", "Hello"]).encode(), authserv_id=name).authentication


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ([PASS], "pass"),
        ([FAIL], "fail"),
        (["MX.Example.com 1;\n dkim=pass header.d=client.test header.s=a"], "pass"),
        (["mx.example.com; dkim=pass header.i=@client.test"], "pass"),
        (["mx.example.com; spf=pass smtp.mailfrom=bounce@client.test"], "pass"),
        (["mx.example.com; spf=pass smtp.mailfrom=evil.test"], "none"),
        (["mx.example.com; dkim=pass header.d=evil.test; spf=fail"], "none"),
        (["mx.example.com; dkim=pass header.d=test"], "none"),
        (["mx.example.com; dkim=fail header.d=client.test"], "none"),
        (["mx.example.com; dmarc=pass header.from=evil.test"], "none"),
        (["mx.example.com; dkim=pass header.d=client.test", "mx.example.com; dmarc=fail"], "fail"),
        (["mx.example.com; none"], "none"),
        (["mx.evil.test; dmarc=pass header.from=client.test"], "none"),
        (["mx.example.com.evil.test; dmarc=pass header.from=client.test"], "none"),
        ([FAIL, PASS], "fail"),
        ([PASS, FAIL], "pass"),
        (["mx.example.com (dmarc=pass); dmarc=(x) fail header.from=client.test"], "fail"),
        (["mx.example.com (a (b); dmarc=pass); dmarc=fail"], "fail"),
        (['mx.example.com; spf=pass smtp.mailfrom="a;dmarc=pass"@evil.test; dmarc=fail'], "fail"),
        ([r'mx.example.com; spf=pass smtp.mailfrom="\";dmarc=pass"@evil.test; dmarc=fail'], "fail"),
        (
            ["mx.example.com; spf=pass (of (a@evil.test) smtp.mailfrom=evil.test; dmarc=fail"],
            "fail",
        ),
        (["mx.evil.test; spf=pass (of a@evil.test; dmarc=fail"], "none"),
        (['mx.example.com; spf=pass smtp.mailfrom="(;spf=pass"@evil.test; dmarc=fail'], "fail"),
        (['mx.example.com; dkim=pass header.d="client.test"'], "pass"),
        ([], "none"),
    ],
)
def test_what_the_server_found_of_the_sender(fields: list[str], wanted: str) -> None:
    assert found(*fields) == wanted


def test_a_subdomain_is_vouched_for_by_its_domain() -> None:
    field = "mx.example.com; dkim=pass header.d=client.test"
    assert found(field, sender="a@mail.client.test") == "pass"
    assert found(field, sender="a@evilclient.test") == "none"


def test_without_a_name_or_one_sender_nothing_counts() -> None:
    assert found(PASS, name="") == "none"
    assert found(PASS, sender="a@client.test, b@client.test") == "none"


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert found(f"mx.example.com; {text}".replace("\n", " ").replace("\r", " ")) in (
        "pass",
        "fail",
        "none",
    )
