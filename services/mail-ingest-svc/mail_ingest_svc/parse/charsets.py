"""Turns bytes into text whatever their charset is said to be, since it is wrong often enough."""

from encodings.aliases import aliases

from charset_normalizer import from_bytes

_NOT_FOR_TEXT = {
    "base64_codec",
    "bz2_codec",
    "hex_codec",
    "mbcs",
    "quopri_codec",
    "rot_13",
    "tactis",
    "uu_codec",
    "zlib_codec",
}
# What mailers write and mean: the wider sibling of the charset that they name.
_MEANT = {
    "ascii": "cp1252",
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "cp950",
    "x_gbk": "gb18030",
    "ks_c_5601_1987": "cp949",
    "x_sjis": "cp932",
    "x_euc_jp": "euc_jp",
    "x_user_defined": "cp1252",
    "unknown_8bit": "utf_8",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "tis_620": "cp874",
    "windows_874": "cp874",
    "utf8mb4": "utf_8",
}
# A closed list: Python's own search would import modules by the sender's word and remember each
# unknown name, and has codecs (punycode, unicode_escape) that no mail may reach.
_KNOWN = {
    name: _MEANT.get(codec, codec)
    for codec in set(aliases.values()) - _NOT_FOR_TEXT
    for name in (codec, *(alias for alias, target in aliases.items() if target == codec))
} | _MEANT
_SAMPLE = 4096


def decode(data: bytes, charset: str = "", *, guess: bool = False) -> str:
    """Try what is declared, UTF-8, then with ``guess`` a statistical look, at last CP1252."""
    codec = _codec(charset)
    for candidate in (codec, "utf_8"):
        text = _strictly(data, candidate) if candidate else None
        if text is not None:
            return text
    if codec and codec != "cp1252" and (text := _nearly(data, codec)) is not None:
        return text
    return data.decode(_guessed(data) if guess else "cp1252", "replace")


def _codec(charset: str) -> str | None:
    words = charset.lower().replace("-", "_").replace(".", "_").split()
    return _KNOWN.get(words[0].strip("\"'")) if words else None


def _strictly(data: bytes, codec: str) -> str | None:
    # cp1252 has five holes and reads all else, so UTF-8 that is mislabelled as Latin comes first.
    if codec == "cp1252" and (text := _strictly(data, "utf_8")) is not None:
        return text
    try:
        return data.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _nearly(data: bytes, codec: str) -> str | None:
    """The declared charset after all, when only a byte here and there is wrong, as after a cut."""
    text = data.decode(codec, "replace")
    not_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return text if text.count("\ufffd") * 5 <= not_ascii else None


def _guessed(data: bytes) -> str:
    best = from_bytes(data[:_SAMPLE]).best()
    return best.encoding if best else "cp1252"
