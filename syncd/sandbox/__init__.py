"""Strict local stand-ins of the five providers, for `syncd demo`, `syncd sandbox` and the tests.

Reading order: `twin` (one pretended provider: records, toggles, log) · `kit` (how to write a sandbox) · `aiotic` (the
shortest one) · `faults` and `wire` (what goes wrong on demand) · `server` · `five` (all of them together).
"""
