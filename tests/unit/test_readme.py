"""README says what the program says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from syncd.cli import COMMANDS
from syncd.status.codes import WORST_FIRST
from syncd.status.remedies import PAIRS, PROVIDERS, Remedy

ROOT = Path(__file__).parents[2]
TESTS = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
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


def test_every_test_that_is_named_exists() -> None:
    """A test that tells where a rule is tested is there under that name; a name with ... begins like one."""
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "syncd" / "testing").glob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in files]
    functions = {name for text in texts for name in re.findall(r"^ *def (\w+)\(", text, flags=re.MULTILINE)}
    there = functions | {path.stem for path in files}
    words = set(re.findall(r"test_\w+(?:\.\.\.)?", TESTS)) | set(re.findall(r"(?:checks|failures)\.(\w+)", TESTS))

    def exists(word: str) -> bool:
        return any(name.startswith(word[:-3]) for name in there) if word.endswith("...") else word in there

    assert sorted(word for word in words if not exists(word)) == []


def test_every_law_of_two_way_sync_has_a_test() -> None:
    """The laws of identity, merge, echo and deletes are listed with the tests that turn red without them."""
    table = TESTS.partition("| law | test |\n| --- | --- |\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", table, flags=re.MULTILINE)

    assert [law for law, tests in rows if not re.search(r"`[^`]*(test_|checks\.|model/)", tests)] == []
    assert {"one customer, one record", "no clock decides", "silence", "no resurrection"} <= {law for law, _ in rows}
