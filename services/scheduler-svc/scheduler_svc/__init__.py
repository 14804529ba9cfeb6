"""Does things at their time."""
