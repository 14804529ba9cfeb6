"""Runs a service's Alembic versions under an advisory lock."""

import importlib.util
from pathlib import Path

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deskwire.db import unusable
from deskwire.errors import SetupError

LOCK = 0x6465736B  # any number that all migrating processes share

# Autovacuum never looks at tables of a few rows, such as the one of the settings. Without it they
# are taken for a thousand, and statements that join them are planned anew each time, and badly.
# Empty tables are left out: they are to be planned for as what will grow.
OWN_TABLES = text("""
    SELECT string_agg(quote_ident(relname), ', ') FROM pg_class
    WHERE relkind = 'r' AND CAST(CAST(relnamespace AS regnamespace) AS text) = current_schema()
      AND pg_get_userbyid(relowner) = current_user AND pg_relation_size(oid) > 0
""")

REFUSED = (
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


def script_directory(package: str) -> ScriptDirectory:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SetupError(f"the package {package} is not installed")
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    versions = Path(spec.origin).parent / "migrations" / "versions"
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    return ScriptDirectory.from_config(config)


def _upgrade(connection: Connection, script: ScriptDirectory) -> None:
    # The role's time-outs are for serving; a migration may wait its turn and take its time.
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})

    missing: list[object] = []

    def steps(revision: object, _context: object) -> object:
        missing[:] = script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # its own way
        return missing

    with EnvironmentContext(Config(), script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=True)
        environment.run_migrations()
    if missing:
        connection.execute(text(f"ANALYZE {connection.scalar(OWN_TABLES)}"))


async def upgrade(database_url: str, package: str) -> None:
    """Run what is missing, in one transaction; a second runner waits, then finds nothing to do."""
    url = database_url.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, script_directory(package))
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise SetupError(unusable(database_url, error)) from error
    except SQLAlchemyError as error:
        cause = error.__cause__ and error.__cause__.__cause__
        if isinstance(cause, REFUSED):
            raise SetupError(unusable(database_url, cause)) from error
        raise
    finally:
        await engine.dispose()
