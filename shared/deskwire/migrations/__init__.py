"""The one Alembic environment; each service brings its own versions."""

from alembic import op


def run_script(sql: str) -> None:
    """Run several SQL statements at once, in the migration's transaction."""
    adapted = op.get_bind().connection.dbapi_connection
    if adapted is None:
        raise RuntimeError("the connection is closed")
    adapted.run_async(lambda connection: connection.execute(sql))
