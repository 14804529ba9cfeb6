"""Sends mail out."""
