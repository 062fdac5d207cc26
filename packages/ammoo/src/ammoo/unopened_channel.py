"""The object that publishes for a `Channel` before it is entered: it refuses everything."""

from asyncio import Future
from collections.abc import Awaitable
from typing import Any, Final

from .messages import ReturnMessage

__all__ = ["NOT_ENTERED", "not_entered"]


def not_entered() -> RuntimeError:
    """Return the error for a channel that is used without being open."""
    return RuntimeError(
        "the channel is not open: use it within async with connection.channel(), or await its open()"
        " first"
    )


class _NotEntered:
    """Publishes nothing."""

    is_publishable = False

    def publish(self, *message: Any) -> Awaitable[None] | None:
        """Refuse the message."""
        raise not_entered()

    def publish_nowait(self, *message: Any) -> "Future[None]":
        """Refuse the message."""
        raise not_entered()

    async def wait_publishable(self) -> None:
        """Refuse to wait."""
        raise not_entered()

    async def next_returned(self) -> ReturnMessage:
        """Refuse to wait."""
        raise not_entered()


NOT_ENTERED: Final = _NotEntered()
