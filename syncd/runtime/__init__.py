"""One syncd, put together: the values an installation consists of, and which process may work on which lane."""
