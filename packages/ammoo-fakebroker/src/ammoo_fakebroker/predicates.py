"""Predicates: functions of a test that decide, such as ``body=lambda body: len(body) > 9``.

A predicate answers at once. The result of an ``async def`` function is a coroutine, which is true
whatever the function would return, so a test with such a predicate would prove nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["check_is_not_async", "decides", "result_of"]

_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


def check_is_not_async(name: str, value: object) -> None:
    """Check that a value is no ``async def`` function; it may be anything else.

    Args:
        name: The name of the parameter, for the text of the error.
        value: What a test has passed.

    Raises:
        TypeError: The value is an ``async def`` function, or an object that is called as one.
    """
    __tracebackhide__ = True
    call = getattr(type(value), "__call__", None)  # noqa: B004  it is inspected, not only tested
    if any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (value, call)
    ):
        raise TypeError(
            f"{name} is {_named(value)}, an async function; expected one that returns its result at"
            " once: def, not async def"
        )


def result_of(function: Callable[[_Argument], _Result], argument: _Argument) -> _Result:
    """Call a function of a test, and return its result.

    Raises:
        TypeError: The result must be awaited.
    """
    result = function(argument)
    if result is True or result is False or not inspect.isawaitable(result):
        return result
    if inspect.iscoroutine(result):
        result.close()  # else Python warns that it was never awaited
    raise TypeError(
        f"{_named(function)} returned {result!r}, which must be awaited; expected a function that"
        " returns its result at once"
    )


def decides(function: Callable[[Any], object], argument: object) -> bool:
    """Return whether a predicate accepts its argument.

    Raises:
        TypeError: The predicate's result must be awaited.
    """
    return bool(result_of(function, argument))


def _named(function: object) -> str:
    name = getattr(function, "__name__", None)
    if name is None:
        return repr(function)
    return "the function" if name == "<lambda>" else f"{name}()"
