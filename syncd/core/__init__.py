"""The pure part: everything that decides about a pair. No clock, no randomness, no files, no network."""
