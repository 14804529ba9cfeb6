"""The rules of scheduled tickets. Pure: the time is an argument."""
