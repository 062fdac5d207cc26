"""At most ten handshakes at a time, so that many connections do not come back all at once.

A handshake costs the server a password check, and with TLS a signature. A server that is silent
does neither. Therefore a handshake that takes longer than a second frees its slot, and the
others do not wait for it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakKeyDictionary

__all__ = ["HandshakeSlots", "slots_of"]

MOST_HANDSHAKES: Final = 10
COUNTED_FOR: Final = 1.0
"""How long a handshake holds its slot at most, in seconds."""


class HandshakeSlots:
    """Slots; each connection takes one before its handshake.

    Args:
        most: The number of slots.
        counted_for: How long a connection holds its slot at most, in seconds.
    """

    def __init__(self, most: int = MOST_HANDSHAKES, counted_for: float = COUNTED_FOR) -> None:
        self._semaphore = asyncio.Semaphore(most)
        self._counted_for = counted_for

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot, and hold it in the block, but no longer than `counted_for`."""
        await self._semaphore.acquire()
        loop = asyncio.get_running_loop()
        is_held = True

        def release() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._semaphore.release()

        timer = loop.call_later(self._counted_for, release)
        try:
            yield
        finally:
            timer.cancel()
            release()


_slots: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, HandshakeSlots]] = WeakKeyDictionary()


def slots_of(loop: asyncio.AbstractEventLoop) -> HandshakeSlots:
    """Return the slots that all connections of an event loop share."""
    return _slots.setdefault(loop, HandshakeSlots())
