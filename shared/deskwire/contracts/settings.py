"""The instance's settings."""

from deskwire.contracts.base import Command, Document, Event


class Settings(Document):
    """The instance's settings. ``new_ticket_addresses``: the team list told of every new ticket."""

    ticket_prefix: str
    client_notifications: bool
    new_ticket_addresses: tuple[str, ...]
    version: int = 1


class UpdateSettings(Command[Settings], name="settings.update.v1"):
    """Changes what is not None. ``if_version`` is the version that the caller saw."""

    if_version: int
    ticket_prefix: str | None = None
    client_notifications: bool | None = None
    new_ticket_addresses: tuple[str, ...] | None = None


class SettingsChanged(Event, name="settings.changed.v1"):
    settings: Settings

    @property
    def aggregate(self) -> str:
        return "settings"
