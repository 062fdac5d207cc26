"""Checks of what a test passes: a wrong value is refused at the call, by its name and with a sentence.

Each function hides itself from pytest's tracebacks: the line of the test is what is wrong.

`checks_arguments` reads the annotations of the public methods of a class, and checks texts, integers,
booleans, functions, and floats, which are all times in seconds. A method checks the rest itself, such
as the least count.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from types import FunctionType
from typing import Any, Final, TypeVar

from .predicates import check_is_not_async
from .similar_names import similar_name

__all__ = [
    "check_boolean",
    "check_count",
    "check_integer",
    "check_seconds",
    "check_text",
    "check_texts",
    "checks_arguments",
]

_Class = TypeVar("_Class", bound=type)
_Check = Callable[[str, object], object]


def check_seconds(name: str, value: object) -> float:
    """Return a time in seconds.

    Raises:
        TypeError: The value is not an integer and not a float.
        ValueError: The value is negative or NaN.
    """
    __tracebackhide__ = True
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}; expected a number of seconds from 0 on")
    if math.isnan(value) or value < 0:
        raise ValueError(f"{name} is {value!r}; expected a number of seconds from 0 on")
    return float(value)


def check_count(name: str, value: object, *, lowest: int) -> int:
    """Return a number of things.

    Args:
        name: The name of the parameter, for the text of the error.
        value: The value that a test has passed.
        lowest: The lowest allowed value.

    Raises:
        TypeError: The value is not an integer.
        ValueError: The value is too low.
    """
    __tracebackhide__ = True
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; expected an integer from {lowest} on")
    if value < lowest:
        raise ValueError(f"{name} is {value!r}; expected an integer from {lowest} on")
    return value


def check_integer(name: str, value: object) -> None:
    """Check an integer.

    Raises:
        TypeError: The value is not an integer.
    """
    __tracebackhide__ = True
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}; expected an integer")


def check_text(name: str, value: object) -> None:
    """Check a text.

    Raises:
        TypeError: The value is not a string.
    """
    __tracebackhide__ = True
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; expected a string")


def check_boolean(name: str, value: object) -> None:
    """Check a boolean.

    Raises:
        TypeError: The value is not True and not False.
    """
    __tracebackhide__ = True
    if not isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; expected True or False")


def _check_mapping(name: str, value: object) -> None:
    __tracebackhide__ = True
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is {value!r}; expected a mapping")


def check_texts(name: str, value: object) -> None:
    """Check several texts.

    Raises:
        TypeError: The value is a single string, or an element is not a string.
    """
    __tracebackhide__ = True
    if isinstance(value, str) or not isinstance(value, Collection):
        raise TypeError(f"{name} is {value!r}; expected a list of strings")
    for each in value:
        if not isinstance(each, str):
            raise TypeError(f"{name} has {each!r}; expected strings")


def _check_function(name: str, value: object) -> None:
    __tracebackhide__ = True
    if not callable(value):
        raise TypeError(f"{name} is {value!r}; expected a function")
    check_is_not_async(name, value)


_CHECKS: Final[Mapping[str, _Check]] = {
    "str": check_text,
    "int": check_integer,
    "float": check_seconds,
    "bool": check_boolean,
    "Collection[str]": check_texts,
    "Mapping": _check_mapping,
    "Callable": _check_function,
}


_COUNTS: Final = {"count"}
"""The parameters that are 0 or more; other integers may be negative."""
_CHECKED_BY_METHODS: Final = {"configure", "definition", "priority", "read", "write"}
"""The parameters that methods check themselves, with a text that says more."""


def _check_not_negative(name: str, value: object) -> None:
    __tracebackhide__ = True
    check_count(name, value, lowest=0)


def checks_arguments(checked: _Class) -> _Class:
    """Decorate a class whose public methods are to check their arguments.

    They raise TypeError for a value of a wrong type, and ValueError for a negative time.
    """
    for name, function in list(vars(checked).items()):
        if not name.startswith("_") and inspect.isfunction(function):
            checks = _checks_of(function)
            if checks:
                setattr(checked, name, _checking(function, checks))
            # Python's own errors then name the method without its base class, which users do not know.
            function.__qualname__ = name
    return checked


def _checks_of(function: FunctionType) -> dict[str, _Check | None]:
    """Return the check of each parameter, in order; nothing if none is checked."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    annotations = function.__annotations__
    checks = {name: _check_of(name, str(annotations.get(name, ""))) for name in names}
    return checks if any(checks.values()) else {}


def _check_of(name: str, annotation: str) -> _Check | None:
    if name in _CHECKED_BY_METHODS:
        return None
    needed = annotation.removesuffix(" | None")
    check = (
        _check_not_negative
        if name in _COUNTS
        else _CHECKS.get(needed) or _CHECKS.get(needed.partition("[")[0])
    )
    if check is None or needed == annotation:
        return check
    return lambda name, value: None if value is None else check(name, value)


def _check_names(function_name: str, known: list[str], options: Mapping[str, Any]) -> None:
    __tracebackhide__ = True
    for name in options:
        if name not in known:
            close = similar_name(name, known)
            hint = f"did you mean {close!r}?" if close else f"it has {', '.join(known)}"
            raise TypeError(f"{function_name}() has no argument {name!r}; {hint}")


def _checking(
    function: Callable[..., Any], checks: Mapping[str, _Check | None]
) -> Callable[..., Any]:
    names = list(checks)
    takes_others = bool(function.__code__.co_flags & inspect.CO_VARKEYWORDS)

    def check(args: tuple[Any, ...], options: Mapping[str, Any]) -> None:
        __tracebackhide__ = True
        if not takes_others:
            _check_names(function.__name__, names[1:], options)
        for name, value in (*zip(names, args, strict=False), *options.items()):
            each = checks.get(name)
            if each is not None:
                each(name, value)

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        check(args, options)
        return function(*args, **options)

    @wraps(function)
    async def call_async(*args: Any, **options: Any) -> Any:
        __tracebackhide__ = True
        check(args, options)
        return await function(*args, **options)

    return call_async if inspect.iscoroutinefunction(function) else call
