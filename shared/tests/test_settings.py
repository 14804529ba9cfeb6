"""Settings come from the environment, secrets also from files."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from deskwire.settings import KeyLines, ServiceSettings


class Settings(ServiceSettings):
    names: tuple[str, ...] = ()
    keys: KeyLines = ""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKWIRE_DATABASE_URL", "postgresql://a@b/c")
    monkeypatch.setenv("DESKWIRE_BROKER_URL", "memory://")


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESKWIRE_SHUTDOWN_SECONDS", "3")
    monkeypatch.setenv("DESKWIRE_NAMES", '["a", "b"]')
    monkeypatch.setenv("DESKWIRE_UNKNOWN", "of another service")
    settings = Settings()
    assert settings.database_url == "postgresql://a@b/c"
    assert settings.shutdown_seconds == 3
    assert settings.names == ("a", "b")
    assert settings.health_port == 8081


def test_a_file_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret, names = tmp_path / "secret", tmp_path / "names"
    secret.write_text("postgresql://a:pä55@b/c\n", encoding="utf-8")
    names.write_text('["x"]')
    monkeypatch.setenv("DESKWIRE_DATABASE_URL_FILE", str(secret))
    monkeypatch.setenv("DESKWIRE_NAMES_FILE", str(names))
    settings = Settings()
    assert settings.database_url == "postgresql://a:pä55@b/c"
    assert settings.names == ("x",)


def test_arguments_win_over_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("amqp://file")
    monkeypatch.setenv("DESKWIRE_BROKER_URL_FILE", str(secret))
    assert Settings(broker_url="amqp://argument").broker_url == "amqp://argument"


def test_what_is_missing_or_wrong_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESKWIRE_BROKER_URL")
    monkeypatch.setenv("DESKWIRE_HEALTH_PORT", "many")
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert {error["loc"] for error in caught.value.errors()} == {("broker_url",), ("health_port",)}


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().log_level = "DEBUG"  # type: ignore[misc]  # what mypy says too


@pytest.mark.parametrize("keys", [" " * 16, "short", "sixteen letters.\n" + "\t" * 16 + "\nshort"])
def test_no_key_of_several_is_short_or_blank(monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    monkeypatch.setenv("DESKWIRE_KEYS", keys)
    with pytest.raises(ValidationError, match="at least 16 characters"):
        Settings()
