"""`make bench`: what Deskwire does beside what the same machine can do, in one run."""
