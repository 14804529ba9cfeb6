"""Takes mail in."""
