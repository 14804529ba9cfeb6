"""What plain text may hide: soft line breaks (RFC 3676), files in the text (uuencode), and where
pictures are.
"""

import binascii
import re
from collections.abc import Iterator

MAX_FLOWED = 1024 * 1024
MAX_FILES = 50
# Encoders write 61 letters a line: many short lines are no file, and dear to read one by one.
SHORTEST_LINE = 20
MAX_SHORT = 1000

_BEGIN = re.compile(r"^begin [0-7]{3,4} ([^\n]{1,255})\n", re.MULTILINE)
_PICTURE = re.compile(r"\[cid:([^\[\]\s@]{1,200})(@[^\[\]\s]{0,200})?\]", re.IGNORECASE)
_SIGNATURE = "-- "


def naming_pictures(text: str) -> str:
    """Outlook's ``[cid:a.png@01DC5A3E]`` as others write it: ``[image: a.png]``."""
    return _PICTURE.sub(lambda m: f"[image: {m[1]}]" if "." in m[1] else "[image]", text)


def unflowed(text: str, *, drop_space: bool) -> str:
    """Lines that end with a space go on in the next line of the same quote depth."""
    return "\n".join(_paragraphs(text, drop_space=drop_space)) if len(text) <= MAX_FLOWED else text


def _paragraphs(text: str, *, drop_space: bool) -> Iterator[str]:
    depth, flow = 0, list[str]()
    for line in text.split("\n"):
        quotes = len(line) - len(line.lstrip(">"))
        content = line[quotes:].removeprefix(" ")
        if flow and (quotes != depth or content == _SIGNATURE):
            yield _quoted(depth, flow)
            flow = []
        depth = quotes
        soft = content.endswith(" ") and content != _SIGNATURE
        flow.append(content[:-1] if soft and drop_space else content)
        if not soft:
            yield _quoted(depth, flow)
            flow = []
    if flow:
        yield _quoted(depth, flow)


def _quoted(depth: int, flow: list[str]) -> str:
    content = "".join(flow)
    return f"{'>' * depth} {content}" if depth else content


def without_files(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without its uuencoded blocks, and the files that they were."""
    kept: list[str] = []
    files: list[tuple[str, bytes]] = []
    position = 0
    while len(files) < MAX_FILES and (begin := _BEGIN.search(text, position)):
        end = text.find("\nend", begin.end() - 1)
        data = _uudecoded(text[begin.end() : end]) if end >= 0 else None
        if data is None:
            break
        kept.append(text[position : begin.start()])
        files.append((begin[1].strip(), data))
        position = end + len("\nend")
    return "".join(kept) + text[position:], files


def _uudecoded(block: str) -> bytes | None:
    if block.count("\n") * SHORTEST_LINE > len(block) + MAX_SHORT:
        return None
    try:
        lines = block.encode("ascii").split(b"\n")
        return b"".join(binascii.a2b_uu(line) for line in lines if line.strip())
    except (binascii.Error, UnicodeError):
        return None
