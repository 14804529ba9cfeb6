"""Links that nobody can make who has no key, for one purpose and a time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deskwire.links import Expired, FeedbackLink, Links, NoLink

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
LINKS = Links.of("a key for tests alone", "https://desk.example.com/")
CLAIM = FeedbackLink(ticket_id=12, contact_id=5, language="de")
TOKEN = LINKS.token(CLAIM, NOW)


def test_a_link_says_what_it_was_made_with_until_its_end() -> None:
    url = LINKS.url(CLAIM, NOW + timedelta(days=1))
    base, token = url.rsplit("/", 1)
    assert base == "https://desk.example.com/feedback"
    assert len(url) < 150
    assert LINKS.read(FeedbackLink, token, NOW) == CLAIM
    with pytest.raises(Expired):
        LINKS.read(FeedbackLink, token, NOW + timedelta(days=1))


@pytest.mark.parametrize("place", range(len(TOKEN)))
def test_a_link_that_was_touched_is_none(place: int) -> None:
    other = "A" if TOKEN[place] != "A" else "B"
    touched = TOKEN[:place] + other + TOKEN[place + 1 :]
    try:
        assert LINKS.read(FeedbackLink, touched, NOW - timedelta(days=1)) == CLAIM
        assert place in (TOKEN.index(".") - 1, len(TOKEN) - 1)  # of whose bits not all are read
    except NoLink:
        pass


@given(st.text(max_size=200))
def test_what_is_no_link_is_told(text: str) -> None:
    with pytest.raises(NoLink):
        LINKS.read(FeedbackLink, text, NOW)


def test_another_key_makes_no_links() -> None:
    token = Links.of("the key of somebody else").token(CLAIM, NOW)
    with pytest.raises(NoLink):
        LINKS.read(FeedbackLink, token, NOW)


def test_older_keys_are_still_known_and_sign_nothing_more() -> None:
    both = Links.of("a newer key for tests\na key for tests alone\n")
    earlier = NOW - timedelta(days=1)
    assert both.read(FeedbackLink, TOKEN, earlier) == CLAIM
    with pytest.raises(NoLink):
        LINKS.read(FeedbackLink, both.token(CLAIM, NOW), earlier)
