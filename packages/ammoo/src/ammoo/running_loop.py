"""Making sure that a connection is used in its own event loop.

Nothing of asyncio is safe to call from another thread. Without this check a message would be
queued and perhaps sent, before asyncio notices, or nothing would happen at all.
"""

from asyncio import AbstractEventLoop, _get_running_loop

__all__ = ["require_loop"]


def require_loop(loop: AbstractEventLoop) -> None:
    """Raise unless a loop is the one that runs here.

    Raises:
        RuntimeError: Another loop runs here, or none does.
    """
    running = _get_running_loop()
    if running is not loop:
        here = "no event loop runs here" if running is None else "another event loop runs here"
        raise RuntimeError(
            f"the connection belongs to the event loop in which it was made, and {here}; from"
            " another thread, call asyncio.run_coroutine_threadsafe(coroutine, loop); in another"
            " loop, connect again. Nothing was sent"
        )
