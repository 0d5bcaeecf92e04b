"""Marking pairs due: changes in the source, differences at the providers, unlinked records."""
