"""One syncd, put together: what an installation is, and who may work on which lane."""
