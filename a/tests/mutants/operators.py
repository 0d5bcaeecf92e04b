"""Every small wrong that a machine can think of: operators, constants, conditions, arguments, calls, one at a time.

    python -m tests.mutants.operators [--every 5] core.merge store.work source.changelog

Each runs in a fork of a process that has the libraries already, so that a module of 200 lines takes minutes. What
survives is printed with its line: a test is missing, or nobody could tell the difference.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
REWRITING = "ignore::pytest.PytestAssertRewriteWarning"  # of what is imported before the fork
LIBRARIES = (
    "sqlalchemy",
    "alembic.command",
    "psycopg",
    "pymysql",
    "hypothesis",
    "httpx",
    "phonenumbers",
    "stdnum",
    "email_validator",
)
SWAPS: dict[type[ast.AST], type[Any]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CHOOSING = {"where", "order_by", "limit", "group_by", "join", "and_", "or_"}  # each argument decides what is found
CONSUMING = "every_write or old_one or was_read or used_ or limited or owner or fence or waits or not_installed"
TESTS: dict[str, tuple[str, ...]] = {
    "core.backoff": ("tests/unit/test_backoff.py",),
    "core.digest": ("tests/unit/test_normalise.py",),
    "core.guards": ("tests/unit/test_guards.py", "tests/unit/test_plan.py"),
    "core.match": ("tests/unit/test_match.py", "tests/unit/test_match_corpus.py"),
    "core.evidence": ("tests/unit/test_match.py", "tests/unit/test_match_corpus.py"),
    "core.names": ("tests/unit/test_match.py",),
    "core.merge": ("tests/unit/test_merge.py", "tests/unit/test_plan.py", "tests/unit/test_exchange_laws.py"),
    "core.normalise": ("tests/unit/test_normalise.py", "tests/unit/test_exchange_laws.py", "tests/unit/test_match.py"),
    "core": ("tests/unit/test_plan.py", "tests/unit/test_merge.py", "tests/unit/test_exchange_laws.py"),
    "store.waiting": ("-k", "sqlite-memory", "tests/contract/test_work.py", "tests/contract/test_store.py"),
    "store.work": ("-k", "sqlite-memory", "tests/contract/test_work.py", "tests/contract/test_store.py"),
    "source.changelog": ("-k", CONSUMING, "tests/contract/test_source_triggers.py"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed module, and where and what was changed."""

    line: int
    what: str
    tree: ast.Module


# -- making them -------------------------------------------------------------------------------------------------------


def mutants(text: str) -> Iterator[Mutant]:
    """Every single change, each in a tree of its own."""
    for number in range(len(_places(ast.parse(text)))):
        tree = ast.parse(text)
        node, put = _places(tree)[number]
        before = ast.unparse(node)
        after = put()
        ast.fix_missing_locations(tree)
        yield Mutant(getattr(node, "lineno", 0), _difference(before, ast.unparse(after)), tree)


def _difference(before: str, after: str) -> str:
    """Both, from a little before the place where they part."""
    parted = next((place for place, (one, other) in enumerate(zip(before, after, strict=False)) if one != other), 0)
    begin = max(parted - 30, 0)
    one, other = (" ".join(text[begin : begin + 90].split()) for text in (before, after))
    return f"{one}  ->  {other}"


Place = tuple[ast.AST, Callable[[], ast.AST]]


def _places(tree: ast.Module) -> list[Place]:
    """What could be changed, and how, in the order of the text."""
    return list(_inside(tree))


def _inside(node: ast.AST) -> Iterator[Place]:
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_comment"} or _is_words(node, name):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST):
                continue
            for other in _others(child):
                yield child, partial(_put, node, (name, index if isinstance(value, list) else None), other)
            yield from _inside(child)


def _is_words(node: ast.AST, name: str) -> bool:
    """Sentences for people are not what is tested here."""
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name == "value"
    )


def _put(parent: ast.AST, place: tuple[str, int | None], other: ast.AST) -> ast.AST:
    name, index = place
    if index is None:
        setattr(parent, name, other)
    else:
        getattr(parent, name)[index] = other
    return other


def _others(node: ast.AST) -> Iterator[ast.AST]:
    """What could stand in the place of this node."""
    match node:
        case ast.Compare(left, ops, comparators) if type(ops[0]) in SWAPS:
            yield ast.Compare(left, [SWAPS[type(ops[0])](), *ops[1:]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(SWAPS[type(op)](), values)
        case ast.BinOp(left, op, right) if type(op) in SWAPS:
            yield ast.BinOp(left, SWAPS[type(op)](), right)
        case ast.UnaryOp(ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(str(value)) if value and " " not in value:
            yield ast.Constant(value + "x")
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.Call():
            yield from _with_less(node)
        case ast.comprehension(target, iterated, [_, *_], is_async):
            yield ast.comprehension(target, iterated, [], is_async)
        case ast.stmt():
            yield from _statements(node)


def _with_less(call: ast.Call) -> Iterator[ast.AST]:
    """A query that chooses by one thing less; a max or min of one thing less."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in CHOOSING | {"max", "min"} and (len(call.args) > 1 or name in {"where", "order_by", "limit"}):
        for index in range(len(call.args)):
            fewer = [*call.args[:index], *call.args[index + 1 :]]
            if fewer or name in {"where", "order_by"}:
                yield ast.Call(call.func, fewer, call.keywords)
            elif isinstance(call.func, ast.Attribute):
                yield call.func.value


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Expr(ast.Call()) | ast.Raise() | ast.Continue() | ast.Break():
            yield ast.Pass()
        case ast.Return(ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield ast.Return(ast.Constant(None))
        case ast.If(test, body, orelse) if not isinstance(test, ast.Compare):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.AugAssign(target, op, value) if type(op) in SWAPS:
            yield ast.AugAssign(target, SWAPS[type(op)](), value)


# -- trying them -------------------------------------------------------------------------------------------------------


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the changed module in the place of the one in the file."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self.name, self.path, self.tree = name, path, tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.tree, str(self.path), "exec"), module.__dict__)


def survives(module: str, mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Whether these tests pass in a process that has this module."""
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        signal.alarm(SECONDS)
        if mutant is not None:
            path = ROOT / "syncd" / f"{module.replace('.', '/')}.py"
            sys.meta_path.insert(0, Instead(f"syncd.{module}", path, mutant.tree))
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:xdist", "-W", REWRITING, *tests])))
    _, status = os.waitpid(child, 0)
    return status == 0


def hunt(module: str, every: int) -> tuple[int, int]:
    """Try every n-th mutant of a module; how many these are, and how many survive."""
    text = (ROOT / "syncd" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    tests = TESTS.get(module) or TESTS[module.partition(".")[0]]
    if not survives(module, None, tests):
        raise SystemExit(f"{module}: the tests fail without any wrong")
    tried = alive = 0
    for mutant in islice(mutants(text), 0, None, every):
        tried += 1
        if survives(module, mutant, tests):
            alive += 1
            print(f"{module}:{mutant.line}  {mutant.what}", flush=True)
    return tried, alive


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("modules", nargs="+")
    wanted = parser.parse_args()
    os.chdir(ROOT)
    for library in LIBRARIES:
        importlib.import_module(library)
    for module in wanted.modules:
        tried, alive = hunt(module, wanted.every)
        print(f"{module}: {tried - alive} of {tried} noticed", flush=True)


if __name__ == "__main__":
    main()
