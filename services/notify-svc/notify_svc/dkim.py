"""Mails signed by the desk's domains (DKIM: RFC 6376, RFC 8463), where no relay does it.

Not by dkimpy, which the tests hold this against: see docs/adr/0023.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from notify_svc.mime import field as mime_field

FIELDS = (
    *(b"from", b"to", b"reply-to", b"subject", b"date", b"message-id", b"in-reply-to"),
    *(b"references", b"mime-version", b"content-type", b"content-language", b"auto-submitted"),
    *(b"list-unsubscribe", b"list-unsubscribe-post"),
)
ONLY_ONCE = (b"from", b"to", b"subject")
"""Named once more than they are there, so that nobody can add another."""

_NAME = r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$"
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_BLANKS = re.compile(rb"[ \t]+")
_BLANKS_AT_END = re.compile(rb"[ \t]+(?=\r\n|$)")
_LINE = 72

PrivateKey = RSAPrivateKey | Ed25519PrivateKey


class SigningKey(BaseModel):
    """A private key in a file (PEM), whose public one is in the DNS of a domain under a selector.

    Raises `ValueError` for a file that has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    domain: str = Field(pattern=_NAME)
    selector: str = Field(pattern=_NAME)
    key_file: Path
    _key: PrivateKey = PrivateAttr()

    @model_validator(mode="after")
    def _load(self) -> "SigningKey":
        try:
            found = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        except OSError as error:
            raise ValueError(f"{self.key_file}: {error.strerror}") from None
        except (ValueError, TypeError):
            raise ValueError(f"{self.key_file}: no private key in PEM without password") from None
        if not isinstance(found, PrivateKey):
            raise ValueError(f"{self.key_file}: neither an RSA nor an Ed25519 key")  # noqa: TRY004  # pydantic's
        self._key = found
        return self

    @property
    def algorithm(self) -> str:
        return "rsa" if isinstance(self._key, RSAPrivateKey) else "ed25519"

    @property
    def record(self) -> tuple[str, str]:
        """The name and the text of what the DNS has to have."""
        public = self._key.public_key()
        if isinstance(public, Ed25519PublicKey):
            plain = public.public_bytes_raw()
        else:
            plain = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        name = f"{self.selector}._domainkey.{self.domain}"
        return name, f"v=DKIM1; k={self.algorithm}; p={base64.b64encode(plain).decode()}"

    def sign(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self._key.sign(sha256(data).digest())


def signed(keys: Sequence[SigningKey], content: bytes, sender: str, at: datetime) -> bytes:
    """The mail with a signature of each key of the sender's domain, or of one above it; equal for
    an equal mail and time."""
    domain = sender.rpartition("@")[2].casefold()
    fitting = [key for key in keys if f".{domain}".endswith(f".{key.domain.casefold()}")]
    if not fitting:
        return content
    head, _, body = content.partition(b"\r\n\r\n")
    fields = [_relaxed(field) for field in re.split(rb"\r\n(?![ \t])", head)]
    digest = base64.b64encode(sha256(_relaxed_body(body)).digest()).decode()
    return b"".join(_signature(key, fields, digest, at) for key in fitting) + content


def _signature(key: SigningKey, fields: Sequence[bytes], digest: str, at: datetime) -> bytes:
    """The field as it stands before the mail (RFC 6376 section 3.7)."""
    chosen = list(_chosen(fields))
    names = ": ".join(name.decode() for name in (*map(_name, chosen), *ONLY_ONCE))
    told = (
        f"v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; d={key.domain}; s={key.selector};"
        f" t={int(at.timestamp())}; h={names}; bh={digest}; b="
    )
    said = mime_field("DKIM-Signature", told).encode()
    value = base64.b64encode(key.sign(b"\r\n".join((*chosen, _relaxed(said)))))
    lines = (value[start : start + _LINE] for start in range(0, len(value), _LINE))
    return b"\r\n ".join((said, *lines, b""))[:-1]


def _chosen(fields: Sequence[bytes]) -> Iterator[bytes]:
    for name in FIELDS:
        yield from (field for field in reversed(fields) if _name(field) == name)


def _name(field: bytes) -> bytes:
    return field.partition(b":")[0]


def _relaxed(field: bytes) -> bytes:
    """RFC 6376 section 3.4.2."""
    name, _, value = _FOLD.sub(b"", field).partition(b":")
    return name.strip().lower() + b":" + _BLANKS.sub(b" ", value).strip()


def _relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4."""
    lines = _BLANKS.sub(b" ", _BLANKS_AT_END.sub(b"", body)).rstrip(b"\r\n")
    return lines + b"\r\n" if lines else b""
