"""Names of files, made harmless: here they are only data, but people save files by them."""

import mimetypes
import unicodedata

MAX_NAME = 120

_TYPES = mimetypes.MimeTypes()
for _type, _ending in {  # mails bring these without a name, and Python does not know them
    "text/calendar": ".ics",
    "text/vcard": ".vcf",
    "application/pgp-keys": ".asc",
    "application/pgp-signature": ".asc",
    "application/pkcs7-signature": ".p7s",
}.items():
    _TYPES.add_type(_type, _ending)
_UNSAFE = str.maketrans(dict.fromkeys('<>:"|?*', "_"))
# Controls, format characters (zero width, text direction), surrogates, private use.
_INVISIBLE = {"Cc", "Cf", "Cs", "Co"}


def safe_name(name: str, content_type: str, fallback: str) -> str:
    """A base name: the ``fallback`` with an extension for the type where nothing of it is left.

    Invisible characters go first, else they hide a dot from the later steps.
    """
    seen = "".join(c for c in name[:4096] if unicodedata.category(c) not in _INVISIBLE)
    base = seen.replace("\\", "/").rpartition("/")[2].translate(_UNSAFE)
    base = " ".join(base.split()).lstrip(". ").rstrip(". ")
    return _shortened(base) if base else f"{fallback}{_extension(content_type)}"


def _shortened(base: str) -> str:
    if len(base) <= MAX_NAME:
        return base
    stem, dot, extension = base.rpartition(".")
    if not stem or len(extension) > 20:
        return base[:MAX_NAME]
    return stem[: MAX_NAME - len(extension) - 1] + dot + extension


def _extension(content_type: str) -> str:
    if content_type.startswith("message/"):
        return ".eml" if content_type in {"message/rfc822", "message/global"} else ".txt"
    return _TYPES.guess_extension(content_type, strict=False) or ".bin"


def type_of(name: str) -> str:
    return _TYPES.guess_type(name[-MAX_NAME:], strict=False)[0] or "application/octet-stream"
