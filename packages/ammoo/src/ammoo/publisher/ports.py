"""What a publisher asks of its channel."""

from typing import Any, Protocol

__all__ = ["PublisherChannel"]


class PublisherChannel(Protocol):
    """The user's `Channel`, which a publisher puts into confirm mode."""

    _publishers: set[Any]
    """The publishers that are open: the channel holds them until they are left."""

    async def select_confirm(self) -> None:
        """Make the server confirm every message from now on."""
