"""What the gateway can be told."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from deskwire.settings import KeyLines, ServiceSettings
from gateway import rates


def _rate(text: str) -> str:
    rates.parse(text)
    return text


def _origin(text: str) -> str:
    """As browsers send it (RFC 6454): one that is written otherwise would never match."""
    if text != "*" and not re.fullmatch(r"https?://[^/\s*]+", text):
        raise ValueError(f"{text} is no origin such as https://app.example.com, without a path")
    return text


class Settings(ServiceSettings):
    """/livez, /readyz and /metrics are on ``port`` as well as on ``health_port``."""

    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 for any free one")
    public_url: str = Field(
        "", description="how clients reach it, such as https://desk.example.com"
    )
    link_key: KeyLines = Field(
        "",
        description="secret behind links in mails, notify-svc's too; empty: there are none",
    )
    itflow_api: bool = Field(
        default=True, description="serve ITFlow's API, such as /api/v1/tickets/read.php"
    )
    itflow_positional_keys: bool = Field(
        default=True, description='"0", "1", ... beside the column names'
    )
    cors_origins: list[Annotated[str, AfterValidator(_origin)]] = Field(
        default_factory=list,
        description="front ends in browsers that may call it: https://app.example.com, or *",
    )
    request_seconds: float = Field(10.0, gt=0, description="how long a write waits for its owner")
    rate_limit: Annotated[str, AfterValidator(_rate)] = Field(
        "", description="requests of one key, such as 3000/minute; empty for no limit"
    )
