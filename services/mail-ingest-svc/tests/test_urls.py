"""What can be written into DESKWIRE_MAILBOXES."""

import pytest

from deskwire.errors import SetupError
from mail_ingest_svc.mailbox import open_mailboxes


@pytest.mark.parametrize(
    ("url", "name", "folder", "processed"),
    [
        (
            "imaps://sup%40example.com:p%2Fw@mail.test",
            "sup@example.com@mail.test/INBOX",
            "INBOX",
            "Processed",
        ),
        (
            "imap://sup:pw@mail.test:1143/Help%20me?processed=Done",
            "sup@mail.test/Help me",
            "Help me",
            "Done",
        ),
        ("maildir:/var/mail/support", "/var/mail/support", "new", "Processed"),
        ("maildir:///var/mail/support?processed=Old", "/var/mail/support", "new", "Old"),
    ],
)
def test_urls_name_mailboxes_and_folders(url: str, name: str, folder: str, processed: str) -> None:
    mailbox = open_mailboxes([url])[0]
    assert (mailbox.name, mailbox.folder, mailbox.processed) == (name, folder, processed)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "pop3://sup:s3cret@mail.test",
            "must begin with imap://, imaps://, maildir: or lmtp://, not pop3",
        ),
        ("s3cret", "must begin with"),
        ("imaps://mail.test", "needs a host, a user and a password"),
        ("imaps://sup@mail.test", "needs a host, a user and a password"),
        ("imaps://sup:s3cret@mail.test?oauth=support", "a password or an \\?oauth="),
        (
            "imaps://sup@mail.test?oauth=s3cret",
            "has an \\?oauth= that DESKWIRE_OAUTH does not name",
        ),
        ("imap://sup:s3cret/x@mail.test", "needs a host, a user and a password|no valid port"),
        ("imap://sup:s3cret@mail.test:x", "has no valid port"),
        ("imap://sup:s3cret@mail.test/INBOX?processed=INBOX", "read what it has processed"),
        ("maildir:inbox", "needs an absolute path"),
        ("maildir://host/inbox", "needs an absolute path"),
        ("imap://[s3cret", "is no URL"),
        ("lmtp://", "needs a host and a port alone"),
        ("lmtp://127.0.0.1:24/s3cret", "needs a host and a port alone"),
    ],
)
def test_a_bad_url_is_one_clear_line_without_its_password(url: str, told: str) -> None:
    with pytest.raises(SetupError, match=told) as raised:
        open_mailboxes(["maildir:/var/mail/support", url], ["support"])
    assert str(raised.value).startswith("DESKWIRE_MAILBOXES: mailbox 2 ")
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)
