"""An audit log: everything that is published under a key is kept, the latest entries first to go."""

import ammoo


class Audit:
    """A queue of entries, at most so many."""

    def __init__(self, channel: ammoo.Channel, limit: int) -> None:
        self._channel = channel
        self._limit = limit

    async def declare(self) -> None:
        """Declare the exchange and the queue."""
        await self._channel.declare_exchange("audit", "topic")
        await self._channel.declare_queue("audit.log", max_length=self._limit)
        await self._channel.bind_queue("audit.log", "audit", "#")

    async def write(self, key: str, entry: bytes) -> None:
        """Write an entry, and wait until the broker has it."""
        await self._channel.publish("audit", key, entry)
