"""The habits of this house, kept by a machine: a change that breaks one fails here, with the place and the rule."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import pytest

from syncd.log.events import EVENTS

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "syncd"
TEXTS = ("*.py", "*.md", "*.toml", "*.ini", "*.sh", "*.html", "*.j2", "*.service", "*.yml", "*.yaml", "*.mako")
PLACES = ("syncd", "tests", "migrations", "deploy", ".ci")

LONGEST_MODULE = 320  # lines
LONGEST_FUNCTION = 60
LONG_FUNCTION, SHARE_OF_LONG = 30, 0.05
LONGEST_CLASS = 240

# Why a module may be longer than the rule. An entry that is no longer needed fails, too.
LONG_MODULES: dict[str, str] = {}
# Where an `except Exception` stands between two jobs, and what becomes of the error.
BROAD: dict[str, str] = {
    "syncd/daemon/duty.py": "the boundary of a job: type and frames are logged, the daemon goes on",
    "syncd/testing/suite.py": "whatever an adapter broken on purpose raises: somebody noticed",
}
# Who may ask the machine for the time, draw lots or wait.
CLOCKS = {
    "syncd/clock.py": "the clock itself",
    "syncd/cli/demo_walk.py": "times a story for the person who watches it",
    "syncd/cli/doctor_source.py": "compares the servers' clocks with the machine's",
    "syncd/cli/explain.py": "tells whether a next look is still to come",
    "syncd/cli/shown.py": "shows moments in the reader's own time zone",
    "syncd/log/sinks.py": "the deadline of one line, on the real pipe",
    "syncd/providers/http.py": "the total deadline of one request, on the real socket",
    "syncd/providers/connection.py": "the total deadline of one request, on the real socket",
    "syncd/providers/transport.py": "how long a connection was idle, on the real socket",
    "syncd/providers/oauth.py": "the life of a token",
    "syncd/sandbox/control.py": "real delays for real clients",
    "syncd/sandbox/kit.py": "real delays for real clients",
    "syncd/sandbox/twin.py": "real delays for real clients",
}
PARENTS = re.compile(
    r"^(Protocol|StrEnum|Enum|IntEnum|\w*(Error|Exception)|NamedTuple|TypedDict|httpx\.\w+|BaseModel|BaseSettings|"
    r"click\.\w+(\[\w+\])?|io\.StringIO|logging\.\w+|httpcore\.\w+|threading\.local|(ThreadedWSGIServer|WSGIRequestHandler|Flask|Rule)|"
    r"TypeDecorator\[\w+\])$"
)


def _modules(*places: str) -> list[Path]:
    return sorted(path for place in places for path in (ROOT / place).rglob("*.py") if "__pycache__" not in path.parts)


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.FunctionDef))


def _classes(path: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(_tree(path)) if isinstance(node, ast.ClassDef))


def _length(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _own_length(node: ast.FunctionDef) -> int:
    """Lines of a function without those of the functions inside it (an app and its routes)."""
    return _length(node) - sum(_length(inner) for inner in node.body if isinstance(inner, ast.FunctionDef))


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        pytest.param(("mypy",), marks=pytest.mark.long),
        ("lint-imports", "--no-cache"),
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_tools_have_nothing_to_say(command: tuple[str, ...]) -> None:
    """Linter, formatter and layer contracts are part of every test run, and the type checker, which reads SQLAlchemy
    and pydantic for half a minute before it begins, of the gate's, so that none is forgotten."""
    tool = Path(sys.executable).parent / command[0]

    result = subprocess.run([str(tool), *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, f"{result.stdout[-6000:]}\n{result.stderr[-2000:]}"


def test_a_module_fits_into_one_head() -> None:
    """No module of the program is longer than the rule, but for those that say why; no excuse outlives its need."""
    long = {_name(path) for path in _modules("syncd") if len(path.read_text().splitlines()) > LONGEST_MODULE}

    assert sorted(long - set(LONG_MODULES)) == []
    assert sorted(set(LONG_MODULES) - long - _nearly(LONG_MODULES)) == []


def _nearly(names: dict[str, str]) -> set[str]:
    """Modules so near the limit that one more line brings the excuse back."""
    return {n for n in names if (ROOT / n).exists() and len((ROOT / n).read_text().splitlines()) > LONGEST_MODULE - 40}


def test_no_function_is_longer_than_a_screen() -> None:
    """A function that does not fit on a screen does more than one thing."""
    long = [
        f"{_name(path)}:{node.lineno} {node.name} {_own_length(node)}"
        for path in _modules("syncd")
        for node in _functions(path)
        if _own_length(node) > LONGEST_FUNCTION
    ]

    assert long == []


def test_most_functions_are_short() -> None:
    """The median function has at most ten lines, and long ones stay rare: elegance is lost at the centre, slowly."""
    lengths = {f"{_name(p)}:{n.name}": _own_length(n) for p in _modules("syncd") for n in _functions(p)}
    long = {name: size for name, size in lengths.items() if size > LONG_FUNCTION}

    assert median(lengths.values()) <= 10
    assert len(long) <= SHARE_OF_LONG * len(lengths), sorted(long.items(), key=lambda item: -item[1])


def test_no_class_becomes_the_centre() -> None:
    """A class that grows past its length has swallowed its neighbours."""
    long = [f"{_name(p)}:{c.name} {_length(c)}" for p in _modules("syncd") for c in _classes(p)]

    assert [entry for entry in long if int(entry.rsplit(" ", 1)[1]) > LONGEST_CLASS] == []


def test_nothing_is_inherited_but_types() -> None:
    """Only protocols, enumerations, errors and foreign base types have children: no template methods."""
    families: dict[str, list[str]] = {}
    for path in _modules("syncd"):
        for node in _classes(path):
            families[node.name] = [ast.unparse(base) for base in node.bases]
    errors = {name for name in families if _is_error(name, families)}
    strange = {
        name: parents
        for name, parents in families.items()
        if name not in errors and any(not PARENTS.match(parent) for parent in parents)
    }
    strange = {n: ps for n, ps in strange.items() if not all(_typed(p, families) for p in ps)}

    assert strange == {}


def _is_error(name: str, families: dict[str, list[str]]) -> bool:
    parents = families.get(name, [])
    return any(p.endswith(("Error", "Exception")) or (p in families and _is_error(p, families)) for p in parents)


def _typed(parent: str, families: dict[str, list[str]]) -> bool:
    """Settings models may share a strict parent of ours."""
    return bool(PARENTS.match(parent)) or any(_typed(p, families) for p in families.get(parent, []))


def test_the_centre_is_made_of_functions() -> None:
    """The rooms from detection to `reconcile` hold functions and data: a class is a dataclass, a named tuple, an
    enumeration, or the list of what is asked of another."""
    strange = [
        f"{_name(path)}:{node.name}"
        for path in _modules("syncd/runtime", "syncd/detect", "syncd/engine", "syncd/operate", "syncd/reconcile")
        for node in _classes(path)
        if (kinds := [ast.unparse(base) for base in node.bases]) not in (["StrEnum"], ["Protocol"])
        and (
            kinds not in ([], ["NamedTuple"])
            or not (kinds or any("dataclass" in ast.unparse(mark) for mark in node.decorator_list))
            or sum(isinstance(part, ast.FunctionDef) for part in node.body) > 5
        )
    ]

    assert strange == []


def test_modules_and_classes_are_named_for_what_they_are() -> None:
    """A drawer called utils fills up; a Manager manages everything."""
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "engine", "core_utils"}
    modules = [_name(path) for path in _modules("syncd", "tests", "migrations") if path.stem in drawers]
    classes = [
        f"{_name(path)}:{node.name}"
        for path in _modules("syncd")
        for node in _classes(path)
        if re.search(r"(Manager|Engine|Helper|Utils?|Service|Processor|Impl)$", node.name)
    ]

    assert (modules, classes) == ([], [])


def test_the_package_says_that_it_is_typed() -> None:
    """Who writes an adapter of their own has it checked against our types."""
    assert (ROOT / "syncd" / "py.typed").is_file()


def test_one_colour_of_function() -> None:
    """Everything is synchronous: no `async`, no `await`."""
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules("syncd", "tests", "migrations")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]

    assert found == []


def test_nothing_of_ours_is_mocked() -> None:
    """Tests assert states, not calls."""
    found = []
    for path in _modules("syncd", "tests"):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            else:
                continue
            if any(re.match(r"unittest\.mock|mock\b|pytest_mock", name) for name in names):
                found.append(f"{_name(path)}:{node.lineno}")

    assert found == []


def test_no_error_is_swallowed_by_the_dozen() -> None:
    """A broad `except` cleans up and raises again, or keeps two jobs apart and says here what becomes of the error."""
    found = {
        _name(path)
        for path in _modules("syncd", "migrations")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ExceptHandler) and _broad(node.type) and not _passes_on(node)
    }

    assert found == set(BROAD)


def _broad(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(ast.unparse(one) in {"Exception", "BaseException"} for one in kinds)


def _passes_on(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_no_module_keeps_a_state() -> None:
    """No `global`, and no list, dict or set at module level that a lower-case name would invite to fill."""
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules("syncd")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Global)
    ]
    found += [
        f"{_name(path)}:{node.lineno} {target.id}"
        for path in _modules("syncd")
        for node in _tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.List | ast.Dict | ast.Set)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and not target.id.strip("_").isupper() and target.id != "__all__"
    ]

    assert found == []


def test_time_and_chance_are_handed_in() -> None:
    """Who needs the time gets a clock; who needs jitter gets a number. The exceptions say why."""
    asked = re.compile(r"^(datetime\.now|datetime\.utcnow|time\.(time|monotonic|sleep|perf_counter)|random\.\w+)$")
    found = {
        _name(path)
        for path in _modules("syncd")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and asked.match(ast.unparse(node.func))
    }

    assert sorted(found - set(CLOCKS)) == []


IMPORT_ALL = """
import importlib, pathlib, pkgutil, sys, threading
import importlib.metadata, sqlalchemy.dialects, encodings.idna  # what Python itself reads lazily
opened = []
def watch(event, args):
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        opened.append((event, str(args[0])))
    elif event.startswith(("socket.", "sqlite3.", "subprocess.", "os.system", "os.exec")):
        opened.append((event, str(args[:1])))
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import syncd
for found in pkgutil.walk_packages(syncd.__path__, "syncd."):
    if not found.name.endswith("__main__"):
        importlib.import_module(found.name)
print(opened or "", threading.active_count(), sep="|")
"""


def test_importing_opens_nothing() -> None:
    """Importing every module connects to nothing, writes nothing and starts no thread: only bootstrap opens doors."""
    command = [sys.executable, "-c", IMPORT_ALL]

    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (result.stdout.strip(), result.returncode) == ("|1", 0), result.stderr[-2000:]


def test_every_registered_event_is_told_somewhere() -> None:
    """The list of events is a promise: each is told by some module, and whoever waits for one can get it."""
    readers = ("syncd/log/events.py", "syncd/status/")
    told = {
        node.value
        for path in _modules("syncd")
        if not _name(path).startswith(readers)
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert sorted(EVENTS.keys() - told) == []


def test_no_event_is_told_that_nobody_registered() -> None:
    """What stands first in `emit` and third in `tell` is a name of the list; the log refuses others only when told."""
    places = {"emit": 0, "tell": 2, "note": 3}
    names = set()
    for node in (node for path in _modules("syncd") for node in ast.walk(_tree(path))):
        match node:
            case ast.Call(func=ast.Name(id=name), args=args) if len(args) > places.get(name, len(args)):
                match args[places[name]]:
                    case ast.Constant(value=str(event)):
                        names.add(event)
    assert sorted(names - EVENTS.keys()) == []


def test_every_test_says_its_rule() -> None:
    """A test's docstring is the rule in one sentence; its name alone is a riddle a year later."""
    silent = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in _modules("tests")
        for node in _functions(path)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]

    assert silent == []


def test_no_test_is_numbered_after_a_paper() -> None:
    """A name like "row 14" or "law 37" means nothing to who does not have that paper: a test says the rule itself."""
    numbered = re.compile(r"\b(row|law|sequence)s? \d\d?:", re.IGNORECASE)
    found = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules("tests")
        for node in _functions(path)
        if numbered.search(ast.get_docstring(node) or "")
    ]

    assert found == []


def test_every_module_says_what_it_is_for() -> None:
    """The first line of a module is a sentence for the person who opens it."""
    silent = [
        _name(path)
        for path in _modules("syncd", "migrations", "tests")
        if path.read_text().strip() and not ast.get_docstring(_tree(path))
    ]

    assert silent == []


def test_public_functions_make_a_promise() -> None:
    """Every public function and class at module level has a docstring; private ones may speak through their names."""
    silent = [
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in _modules("syncd")
        for node in _tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def _texts() -> Iterator[Path]:
    for place in PLACES:
        for pattern in (*TEXTS, "run"):
            yield from (path for path in (ROOT / place).rglob(pattern) if "__pycache__" not in path.parts)
    for pattern in TEXTS:
        yield from ROOT.glob(pattern)


def test_nothing_is_left_for_later() -> None:
    """A thing undone is written where people look for it, not into a comment."""
    left = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK")) + r")\b")
    found = [
        f"{_name(path)}:{number}"
        for path in _texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if left.search(line)
    ]

    assert found == []


def test_no_machine_shows_through() -> None:
    """No file names a person's directory or the place where this checkout happens to lie."""
    private = re.compile(r"(?<![\w.])/(home|Users|root)/\w|" + re.escape(str(ROOT)) + r"\b")
    found = [
        f"{_name(path)}:{number}"
        for path in _texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if private.search(line)
    ]

    assert found == []


def test_silence_is_always_explained() -> None:
    """A linter's or type checker's complaint is put aside only by its code, never wholesale."""
    wholesale = re.compile(r"#\s*(noqa(?!:)|type:\s*ignore(?!\[)|mypy:\s*ignore-errors|ruff:\s*noqa(?!:))")
    found = [
        f"{_name(path)}:{number}"
        for path in _modules("syncd", "tests", "migrations")
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if wholesale.search(line)
    ]

    assert found == []


def test_commands_print_through_one_function() -> None:
    """Foreign text is escaped in one place: no command prints but through `syncd.cli.output`."""
    printing = re.compile(r"\bclick\.s?echo\(|(?<![\w.])print\(|\bsys\.std(?:out|err)\.write\(|\.show\(\)")
    found = [
        f"{_name(path)}:{number}"
        for path in _modules("syncd/cli")
        if path.name != "output.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if printing.search(line)
    ]

    assert found == []


def test_every_problem_of_the_settings_names_the_next_step() -> None:
    """What is wrong with a setting, a table or a column is told with what to do about it (docs/CONTRIBUTING.md)."""
    needed = {"Problem": 3, "findings.add": 3, "self.findings.add": 3, "Wrong": 2}  # arguments, the remedy the last
    short = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules("syncd/source", "syncd/settings")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call)
        if len(node.args) + len(node.keywords) < needed.get(ast.unparse(node.func), 0)
    ]

    assert short == []


def test_every_error_that_ends_a_command_names_the_next_step() -> None:
    """Whoever reads "the copy differs" at three in the morning reads what to type next."""
    ends = {"UsageError", "SafetyStop", "SetupNeeded", "LeaseHeld", "LeaseLost"}
    ends |= {"SourceUnreachable", "StateUnreachable"}
    silent = [
        f"{_name(path)}:{node.lineno}"
        for path in _modules("syncd")
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) in ends
        if not any(word.arg in {"remedy", None} for word in node.exc.keywords)
    ]

    assert silent == []
