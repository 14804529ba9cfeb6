"""What the authors of other projects say that a person wrote, beside what we say."""

import pytest
from corpora import CORPORA
from reply_corpora import reply_score


@pytest.mark.skipif(not CORPORA.exists(), reason="this clone has no corpora")
@pytest.mark.parametrize(("kind", "least"), [("plain", 0.97), ("html", 0.92)])
def test_as_much_as_before_is_right(kind: str, least: float) -> None:
    score = reply_score(kind)
    assert score.share >= least, score.wrong
