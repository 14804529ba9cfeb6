"""Settings from the environment: ``DESKWIRE_X``, or ``DESKWIRE_X_FILE`` to read X from a file."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from deskwire.errors import SetupError

PREFIX = "DESKWIRE_"

KEY_CHARACTERS = 16


def keys_of(lines: str) -> tuple[bytes, ...]:
    """The first one signs; what the others have signed before is still known."""
    return tuple(key.encode() for key in _lines(lines)) if lines else ()


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _long_enough(text: str) -> str:
    if text and any(len(key) < KEY_CHARACTERS for key in _lines(text)):
        raise ValueError(f"each line is to be a key of at least {KEY_CHARACTERS} characters")
    return text


KeyLines = Annotated[str, AfterValidator(_long_enough)]
"""For `keys_of`."""


class _Files(PydanticBaseSettingsSource):
    """Secrets as files, the way Docker and Kubernetes give them."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        value = Path(path).read_text(encoding="utf-8").strip() if path else None
        return value, field_name, self.field_is_complex(field)

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, complex_value = self.get_field_value(field, name)
            if value is not None:
                values[key] = self.prepare_field_value(name, field, value, complex_value)
        return values


class ServiceSettings(BaseSettings):
    """What every service can be told."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    broker_url: str = Field(description="amqp://, amqps:// or memory://")
    blob_url: str = Field(
        "file:///var/lib/deskwire/blobs", description="file://, s3:// or memory://"
    )
    log_level: str = "INFO"
    health_port: int = Field(8081, description="/livez, /readyz and /metrics; 0 for none")
    shutdown_seconds: float = Field(25.0, description="how long to finish what is in work")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Files(settings_cls), env_settings


S = TypeVar("S", bound=ServiceSettings)


def load(settings: type[S], **told: Any) -> S:
    """The settings, or a `SetupError` that names each variable and never shows a value."""
    try:
        return settings(**told)
    except ValidationError as error:
        wrong = "; ".join(f"{_variable(e)}: {e['msg']}" for e in error.errors())
        raise SetupError(wrong) from None
    except SettingsError as error:
        found = re.search(r'field "(\w+)"', str(error))
        variable = PREFIX + found[1].upper() if found else str(error)
        raise SetupError(f"{variable}: not valid JSON") from None
    except OSError as error:
        raise SetupError(f"{error.filename}: {error.strerror}") from None


def _variable(error: ErrorDetails) -> str:
    return PREFIX + str(error["loc"][0]).upper() if error["loc"] else PREFIX + "*"
