"""Owns tickets and what they point at."""
