"""What ticket-svc can be told."""

from pydantic import Field

from deskwire.settings import ServiceSettings


class Settings(ServiceSettings):
    signing_key: str = Field(min_length=16, description="secret behind our Message-IDs")
    mail_domain: str = Field("deskwire.invalid", description="right side of our Message-IDs")
