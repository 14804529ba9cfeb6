"""Serves the API."""
