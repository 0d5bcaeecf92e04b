"""The operator's commands apart from the run: one file for each."""
