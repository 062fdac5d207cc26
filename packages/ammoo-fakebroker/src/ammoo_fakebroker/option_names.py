"""Misspelt options: the error names the class that the user called, and a similar option."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar, cast

from .similar_names import similar_name

__all__ = ["names_options"]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


def names_options(
    owner: str,
) -> Callable[[Callable[_Parameters, _Result]], Callable[_Parameters, _Result]]:
    """Decorate an initialiser whose options are keywords.

    Args:
        owner: The name of the class, for the error's text.

    Returns:
        A decorator. The decorated function raises TypeError for an unknown option, and for one
        without a name.
    """

    def decorate(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
        known = list(function.__kwdefaults__ or ())

        @wraps(function)
        def checked(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
            __tracebackhide__ = True
            if len(args) > 1:
                raise TypeError(
                    f"{owner} got {args[1]!r} without a name; expected options by their names,"
                    f" such as {known[0]}=…"
                )
            for name in options.keys() - set(known):
                raise TypeError(_describe(owner, name, known))
            return function(*args, **options)

        return cast("Callable[_Parameters, _Result]", checked)

    return decorate


def _describe(owner: str, name: str, known: list[str]) -> str:
    close = similar_name(name, known)
    hint = f"did you mean {close!r}?" if close else f"its options are {', '.join(known)}"
    return f"{owner} has no option {name!r}; {hint}"
