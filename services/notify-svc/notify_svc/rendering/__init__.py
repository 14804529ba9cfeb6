"""How what goes out is written: from a mail and its sentences to the bytes of a letter."""
