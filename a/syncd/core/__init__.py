"""The pure part: it decides, and touches nothing. No clock, no randomness, no I/O."""
