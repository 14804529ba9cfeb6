"""Mails that nobody would write, as long as `DESKWIRE_FUZZ_SECONDS` says: `make fuzz-mail`.

They are mails of other projects and of our own tests, cut up and put together anew. With atheris
beside it (`.venv/bin/uv pip install atheris`) its coverage leads the way; without it chance does.
A mail that is not read well is written to the folder `var/fuzz`.
"""

import json
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from types import FrameType

try:
    import atheris
except ImportError:
    atheris = None

with atheris.instrument_imports(include=["mail_ingest_svc"]) if atheris else nullcontext():
    from corpora import CORPORA, mails
    from test_parse_hostile import HOSTILE, assert_clean

    from mail_ingest_svc.parse import parse
    from mail_ingest_svc.parse.told import as_json

SECONDS = 20
"""A mail may take so long."""

LARGEST = 64 * 1024
FOLDER = Path("var/fuzz")

Edit = Callable[[random.Random, bytes, bytes], bytes]


def seeds() -> list[bytes]:
    found = [file.read_bytes()[:LARGEST] for file in mails(CORPORA)]
    return found + [raw[:LARGEST] for raw in HOSTILE.values()]


def _flip(chance: random.Random, raw: bytes, _other: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.randbytes(chance.randint(1, 4)) + raw[at + chance.randint(0, 4) :]


def _splice(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]


def _lines(chance: random.Random, raw: bytes, other: bytes) -> bytes:
    """A header, a boundary or a line of text from another mail."""
    lines, others = raw.split(b"\n"), other.split(b"\n")
    for _ in range(chance.randint(1, 5)):
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(others))
    return b"\n".join(lines)


def _repeat(chance: random.Random, raw: bytes, _other: bytes) -> bytes:
    start = chance.randrange(len(raw) + 1)
    piece = raw[start : start + chance.randint(1, 200)]
    return raw[:start] + piece * chance.randint(2, 500) + raw[start:]


def _drop(chance: random.Random, raw: bytes, _other: bytes) -> bytes:
    start = chance.randrange(len(raw) + 1)
    return raw[:start] + raw[start + chance.randint(1, 2000) :]


EDITS: Sequence[Edit] = (_flip, _splice, _lines, _repeat, _drop)


def mutated(chance: random.Random, known: Sequence[bytes]) -> bytes:
    raw = chance.choice(known)
    for _ in range(chance.randint(1, 4)):
        raw = chance.choice(EDITS)(chance, raw, chance.choice(known))[:LARGEST]
    return raw


def check(raw: bytes) -> None:
    """Raises what is wrong with how the mail is read."""

    def late(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        parsed = parse(raw)
        assert_clean(parsed)
        json.dumps(as_json(parsed)).encode()
    finally:
        signal.alarm(0)


def _kept(raw: bytes) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{sha256(raw).hexdigest()[:16]}.eml"
    file.write_bytes(raw)
    return file


def by_chance(seconds: float) -> int:
    """How many mails were not read well."""
    seed, known = random.randrange(10**9), seeds()
    chance, tried, wrong = random.Random(seed), 0, 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        raw = mutated(chance, known)
        tried += 1
        try:
            check(raw)
        except BaseException as error:
            wrong += 1
            print(f"{_kept(raw)}: {error!r}")
            if isinstance(error, KeyboardInterrupt):
                break
    print(f"{tried} mails, {wrong} not read well, seed {seed}")
    return wrong


def by_coverage(seconds: float) -> None:
    corpus = FOLDER / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for raw in seeds():
        (corpus / sha256(raw).hexdigest()).write_bytes(raw)
    told = [f"-max_total_time={seconds:.0f}", f"-max_len={LARGEST}", f"-timeout={SECONDS}"]
    atheris.Setup([sys.argv[0], *told, f"-artifact_prefix={FOLDER}/", str(corpus)], check)
    atheris.Fuzz()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    if atheris is None:
        raise SystemExit(by_chance(seconds) > 0)
    by_coverage(seconds)


if __name__ == "__main__":
    main()
