"""What people ask for: one file for each command that is no run."""
