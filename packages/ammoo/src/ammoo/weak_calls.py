"""Calling an object only for as long as its owner keeps it.

The event loop keeps a socket, and the socket its live connection. If that kept the caller's
`Connection` as well, a connection that was dropped while open would never be found out.
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
