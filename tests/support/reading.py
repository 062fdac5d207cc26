"""To be told when a connection stops reading, which nothing else tells."""

import asyncio

from ammoo.live.transport import Transport

__all__ = ["reading_paused"]


def reading_paused(transport: Transport) -> asyncio.Future[None]:
    """Give what is done when the transport stops reading for the first time."""
    paused = asyncio.get_running_loop().create_future()
    pause_reading = transport.pause_reading

    def pause_and_tell() -> None:
        pause_reading()
        if not paused.done():
            paused.set_result(None)

    transport.pause_reading = pause_and_tell  # type: ignore[method-assign]  # to be told
    return paused
