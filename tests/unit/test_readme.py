"""README says what the program says."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncd.cli import COMMANDS
from syncd.status.codes import WORST_FIRST
from syncd.status.remedies import PAIRS, PROVIDERS, Remedy

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("word", "remedy"), [*PAIRS.items(), *PROVIDERS.items()])
def test_every_state_reads_as_in_the_program(word: str, remedy: Remedy) -> None:
    """State, sentence and command come from one table."""
    command = remedy.command.format(key="KEY", id="ID", provider="PROVIDER")

    assert f"| `{word}` | {remedy.sentence} | {f'`{command}`' if command else ''} |" in README


def test_every_command_is_named() -> None:
    """Nobody has to find a command by accident."""
    assert [name for name in COMMANDS if f"syncd {name}" not in README] == []


def test_every_exit_code_is_explained() -> None:
    """Scripts rely on them."""
    assert [code for code in WORST_FIRST if f"| {code} | " not in README] == []


def test_the_gate_calls_the_readme_s_test_command() -> None:
    """What lands is what README tells people to run."""
    command = next(line for line in README.splitlines() if "venv" in line and "pytest" in line)

    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
