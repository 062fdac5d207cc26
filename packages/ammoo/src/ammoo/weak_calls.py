"""Calling an object only for as long as its owner keeps it.

The event loop references the socket, and the socket its live connection. If this also referenced
the caller's `Connection`, Python would never delete a connection that the program has dropped, and
`Connection.__del__` could not warn of it.
"""

from collections.abc import Callable
from typing import ParamSpec
from weakref import WeakMethod

__all__ = ["weakly"]

_ArgumentsT = ParamSpec("_ArgumentsT")


def weakly(method: Callable[_ArgumentsT, None]) -> Callable[_ArgumentsT, None]:
    """Return a function that calls a bound method, and does nothing once its object is gone."""
    reference = WeakMethod(method)

    def call(*args: _ArgumentsT.args, **kwargs: _ArgumentsT.kwargs) -> None:
        target = reference()
        if target is not None:
            target(*args, **kwargs)

    return call
