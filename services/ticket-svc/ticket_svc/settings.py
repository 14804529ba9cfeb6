"""What ticket-svc can be told."""

from pydantic import Field

from deskwire.settings import KEY_CHARACTERS, KeyLines, ServiceSettings


class Settings(ServiceSettings):
    signing_key: KeyLines = Field(
        min_length=KEY_CHARACTERS,
        description="secret behind our Message-IDs; on further lines older ones, still known",
    )
    mail_domain: str = Field("deskwire.invalid", description="right side of our Message-IDs")
