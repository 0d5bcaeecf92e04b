"""Foreign bytes by the thousand: answers, settings, log lines, Retry-After, identifiers, match files.

    python -m tests.fuzz [COUNT [SEED]]

Each target takes bytes and may end in its own error; any other exception is a find, and so is an input that takes
longer than `PATIENCE` (of the processor, so that a busy machine is no find) or more memory than `MOST_MEMORY`.
"""
