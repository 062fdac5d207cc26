"""Tests are read like prose: what is done, what is expected. Loops and branches stand elsewhere.

A helper with a telling name, a comprehension or a parameter takes their place. What is left is in
`ALLOWED`, with the reason.
"""

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
LOOPS_AND_BRANCHES = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.Match)

ALLOWED = {
    "wire/test_light_named_tuple.py::test_match_statement_takes_it_apart": (
        "the match statement is what is tested"
    ),
}
"""The tests that may have loops or branches, and why."""


def find_loops_and_branches(module: ast.Module) -> Iterator[str]:
    """Yield the name of each test function that has one, in itself or in a function inside it."""
    groups = [node.body for node in module.body if isinstance(node, ast.ClassDef)]
    for node in itertools.chain(module.body, *groups):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name.startswith("test_")
            and any(isinstance(each, LOOPS_AND_BRANCHES) for each in ast.walk(node))
        ):
            yield node.name


def test_loops_and_branches_of_tests_are_found() -> None:
    module = ast.parse(
        """
def test_prose(): assert [] == [number for number in (1, 2) if number > 2]
def test_loop():
    for number in (1, 2): assert number
async def test_branch_inside():
    async def handle():
        if 1: pass
class TestGroup:
    def test_while(self):
        while False: pass
def helper():
    for number in (1, 2): print(number)
"""
    )

    assert {"test_loop", "test_branch_inside", "test_while"} == {*find_loops_and_branches(module)}


def test_tests_have_no_loops_and_no_branches() -> None:
    found = [
        f"{path.relative_to(TESTS).as_posix()}::{name}"
        for path in TESTS.rglob("test_*.py")
        for name in find_loops_and_branches(ast.parse(path.read_bytes()))
    ]

    assert sorted(ALLOWED) == sorted(found)
