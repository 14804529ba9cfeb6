"""What ticket-svc can be told."""

from typing import Annotated

from pydantic import AfterValidator, Field

from deskwire.settings import ServiceSettings

KEY_CHARACTERS = 16


def _checked(text: str) -> str:
    if any(len(key) < KEY_CHARACTERS for key in _keys(text)):
        raise ValueError(f"each line is to be a key of at least {KEY_CHARACTERS} characters")
    return text


def _keys(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


class Settings(ServiceSettings):
    signing_key: Annotated[str, AfterValidator(_checked)] = Field(
        description="secret behind our Message-IDs; on further lines older ones, still known"
    )
    mail_domain: str = Field("deskwire.invalid", description="right side of our Message-IDs")

    @property
    def signing_keys(self) -> tuple[bytes, ...]:
        """The newest first."""
        return tuple(key.encode() for key in _keys(self.signing_key))
