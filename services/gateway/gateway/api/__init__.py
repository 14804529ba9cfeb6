"""HTTP: the one place that knows of FastAPI."""

from gateway.api.app import create_app, openapi_document
from gateway.api.services import Services

__all__ = ["Services", "create_app", "openapi_document"]
