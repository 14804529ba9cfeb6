"""What scheduler-svc can be told."""

from pydantic import Field

from deskwire.settings import ServiceSettings


class Settings(ServiceSettings):
    tick_seconds: float = Field(1.0, gt=0, description="longest pause between two looks")
