"""What a file of a mail is: what the mail says of it may be wrong, or a disguise."""

from deskwire.filetypes import HEAD_BYTES, HTML, MADE_INTO_OTHERS, MARKUP, known

GENERIC = frozenset({"application/octet-stream", "application/x-download", "application/unknown",
                     "application/binary", "application/force-download"})  # fmt: skip


def sniffed(declared: str, content: bytes) -> str:
    """The type that counts: what the content is, where it is known to be of another kind."""
    found = known(content[:HEAD_BYTES])
    if found is None:
        return declared
    if declared in GENERIC:
        return found
    if found in MARKUP:
        disguised = declared.startswith("image/") and declared != "image/svg+xml"
        return HTML if disguised else declared
    same_kind = found.partition("/")[0] == declared.partition("/")[0]
    return declared if same_kind or found in MADE_INTO_OTHERS else found
