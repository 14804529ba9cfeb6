"""The rules: who gets which mail, when, and what becomes of it. No clock, no database."""
