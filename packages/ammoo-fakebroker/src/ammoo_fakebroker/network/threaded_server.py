"""A server in a daemon thread, for tests whose clients block."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable
from typing import Protocol

__all__ = ["Runnable", "ThreadedServer"]

_STOP_TIMEOUT = 10.0


class Runnable(Protocol):
    """A server, or several, that can be started and stopped in an event loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs in; valid once it is started."""
        ...

    async def start(self) -> None:
        """Begin to listen."""

    async def stop(self) -> None:
        """Stop listening, and close all connections."""


class ThreadedServer:
    """A server in a daemon thread, with another event loop.

    Args:
        server: The server to run there.
        ended: Called in the thread once its event loop is closed.
    """

    def __init__(self, server: Runnable, ended: Callable[[], object]) -> None:
        self._server = server
        self._ended = ended
        self._error: BaseException | None = None
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run_loop, name="ammoo-fakebroker", daemon=True)

    def start(self) -> None:
        """Start the thread, and wait until the server listens.

        Raises:
            OSError: The address is not available.
        """
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join(_STOP_TIMEOUT)
            raise

    def _run_loop(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  raised again by stop()
            self._error = error
        finally:
            self._ended()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        try:
            await self._server.start()
        except BaseException as error:  # noqa: BLE001  raised again by start()
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        try:
            await self._stop.wait()
        finally:  # also if an error ends the event loop: no client must wait for an answer
            await self._server.stop()

    def stop(self) -> None:
        """Stop the server, and wait until the thread has ended.

        Raises:
            BaseException: An error has ended the event loop before.
            RuntimeError: The thread has not ended in time.
        """
        assert self._stop is not None
        with contextlib.suppress(RuntimeError):  # an error has ended the event loop
            self._server.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_TIMEOUT)
        if self._thread.is_alive():
            raise RuntimeError(
                f"the fake broker's thread did not end within {_STOP_TIMEOUT:g} s: a function of the"
                " test that the broker calls, such as a responder's, may not have returned"
            )
        if self._error is not None:
            raise self._error
