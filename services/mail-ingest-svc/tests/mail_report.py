"""`make mail-report`: how well mail is understood, a line a set, and the files that fail."""

import statistics
import sys
import time
from collections.abc import Callable, Iterable

from corpora import CORPORA, Score, bounce_score, mails, oracle_score
from reply_corpora import reply_score

from mail_ingest_svc.parse import parse

SHOWN = 40


def read_score() -> Score:
    score = Score()
    for file in mails():
        parsed = parse(file.read_bytes())
        score.add(file.name, right="unreadable" not in parsed.defects)
    return score


SETS: tuple[tuple[str, Callable[[], Score]], ...] = (
    ("mime: read at all", read_score),
    ("mime/stalwart: subject, author, files and text", oracle_score),
    ("reply: plain text", lambda: reply_score("plain")),
    ("reply: HTML", lambda: reply_score("html")),
    ("bounces: known as what they are", lambda: bounce_score()[0]),
    ("bounces: recipients with status and cause", lambda: bounce_score()[1]),
)


def milliseconds() -> Iterable[float]:
    for file in mails(CORPORA / "mime"):
        raw = file.read_bytes()
        began = time.perf_counter()
        parse(raw)
        yield (time.perf_counter() - began) * 1000


def main() -> None:
    if not CORPORA.exists():
        sys.exit("mail-report: this clone has no corpora")
    for name, scored in SETS:
        score = scored()
        print(f"{name:50} {score.right:4} of {score.of:4}  {score.share:6.1%}")
        for wrong in score.wrong[:SHOWN]:
            print(f"    {wrong}")
    times = sorted(milliseconds())
    print(f"{'mime: milliseconds a mail, median':50} {statistics.median(times):6.2f}")
    print(f"{'mime: mails a second':50} {len(times) / sum(times) * 1000:6.0f}")


if __name__ == "__main__":
    main()
