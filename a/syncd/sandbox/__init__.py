"""Strict local stand-ins of the five providers, for `syncd demo`, `syncd sandbox` and the tests."""
