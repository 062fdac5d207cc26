"""`Connecting`: the return value of `connect`, which a program awaits or enters.

It has all methods of a coroutine, because programs pass it to `create_task`.
"""

from collections.abc import Callable, Coroutine, Generator
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["Connecting", "connects"]

_ArgumentsT = ParamSpec("_ArgumentsT")


class Connecting(Coroutine[Any, Any, "Connection"]):
    """A future connection: await it for one that is not open yet, or enter it for an open one."""

    __slots__ = ("_connection", "_coroutine")

    def __init__(self, coroutine: "Coroutine[Any, Any, Connection]") -> None:
        self._coroutine = coroutine
        self._connection: Connection | None = None

    async def __aenter__(self) -> "Connection":
        """Connect the socket, and open the connection.

        Raises:
            Exception: What `connect` and `Connection.open` raise.
        """
        self._connection = await self._coroutine
        return await self._connection.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection: see `Connection.__aexit__`."""
        if self._connection is not None:
            await self._connection.__aexit__(exc_type, exc, traceback)

    # --- the methods of a coroutine ---

    def __await__(self) -> "Generator[Any, Any, Connection]":
        """Connect the socket."""
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        """Resume the coroutine."""
        return self._coroutine.send(value)

    def throw(self, *args: Any) -> Any:
        """Raise an exception in the coroutine."""
        return self._coroutine.throw(*args)

    def close(self) -> None:
        """End the coroutine."""
        self._coroutine.close()


def connects(
    function: "Callable[_ArgumentsT, Coroutine[Any, Any, Connection]]",
) -> Callable[_ArgumentsT, Connecting]:
    """Wrap a coroutine function: its coroutines can also be entered."""

    @wraps(function)
    def connect(*args: _ArgumentsT.args, **kwargs: _ArgumentsT.kwargs) -> Connecting:
        return Connecting(function(*args, **kwargs))

    return connect
