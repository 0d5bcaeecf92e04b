"""The foreign systems: one adapter file each, and the one HTTP client they all use."""
