"""The one Alembic environment; each service brings its own versions."""
