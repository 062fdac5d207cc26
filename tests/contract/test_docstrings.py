"""Docstrings of all three packages: words that they avoid, and arguments that they document."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import ammoo
import ammoo_fakebroker

SOURCES = Path(__file__).parents[2] / "packages"
# Each has a plainer word: the client, a caller, a program; because; the noun that is meant.
AVOIDED = re.compile(
    r"\b(nobody|somebody|anybody|whoever|someone|anyone|obituary|lest)\b", re.IGNORECASE
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, DOCUMENTED):
            yield ast.get_docstring(node) or ""


def _avoided_words() -> list[str]:
    """Return each avoided word in a docstring, with the path of the module."""
    return [
        f"{path.relative_to(SOURCES)}: {word}"
        for path in sorted(SOURCES.glob("*/src/**/*.py"))
        for docstring in _docstrings(path)
        for word in AVOIDED.findall(docstring)
    ]


def _public_methods(package: Any) -> dict[str, FunctionType]:
    """Return the public methods of a package's public classes, inherited ones included."""
    return {
        f"{each.__name__}.{name}": method
        for each in (getattr(package, name) for name in package.__all__)
        if inspect.isclass(each)
        for name, method in inspect.getmembers(each, inspect.isfunction)
        if not name.startswith("_")
        if method.__module__.startswith("ammoo")
    }


METHODS = {**_public_methods(ammoo), **_public_methods(ammoo_fakebroker)}


def _undocumented(method: FunctionType) -> list[str]:
    """Return the parameters that a docstring neither names nor leaves to another docstring."""
    documentation = inspect.getdoc(method) or ""
    if re.search(r"\b(as|see) `", documentation, re.IGNORECASE):
        return []
    # Not those of inspect.signature, which also shows the members of a TypedDict.
    code = inspect.unwrap(method).__code__
    parameters = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    return [name for name in parameters if not re.search(rf"\b{name}\b", documentation)]


def test_docstrings_avoid_words_that_name_no_actor() -> None:
    assert [] == _avoided_words()


@pytest.mark.parametrize("name", METHODS)
def test_public_method_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(METHODS[name])


@pytest.mark.parametrize("name", METHODS)
def test_public_method_documents_its_parameters(name: str) -> None:
    assert [] == _undocumented(METHODS[name])
