"""Small wrongs, put into the core one at a time: the unit tests must notice each of them.

All of them, on demand (some minutes): `python -m tests.mutants`; those of one file: `python -m tests.mutants merge`.
The test run takes a sample (tests/unit/test_mutants.py).
"""
