"""Errors of functions that a test passes to the broker, which calls them while it serves a client.

Such an error must not end the client's connection, which cannot do anything about it: it is passed on
to where the test gets it. This module knows nothing of the broker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ErrorsPassedTo"]


class ErrorsPassedTo:
    """A context manager that passes an error of its block to a function, and goes on behind the block.

    ``pytest.fail`` and ``pytest.skip`` raise no Exception, and are such errors too, as is a
    CancelledError: the block calls a function of the test, which is no coroutine. Only
    KeyboardInterrupt and SystemExit leave the block, and only in the main thread, where they end the
    program; in a broker's thread they would end the broker alone.

    Args:
        receive: Called with the error.
    """

    __slots__ = ("_receive",)

    def __init__(self, receive: Callable[[BaseException], object]) -> None:
        self._receive = receive

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or _ends_the_program(error):
            return False
        self._receive(error)
        return True


def _ends_the_program(error: BaseException) -> bool:
    """Return whether an error ends the program; in another thread than the main one, it would not."""
    is_in_main_thread = threading.current_thread() is threading.main_thread()
    return is_in_main_thread and isinstance(error, KeyboardInterrupt | SystemExit)
