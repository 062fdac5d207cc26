"""A strike: one effect of a fault, as a test sees it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Strike"]


class Strike(NamedTuple):
    """One strike of a fault.

    Attributes:
        fault: The name of the fault, such as ``nack_publishes``.
        connection: The client's name of the connection; without one, the name that RabbitMQ gives
            it.
        channel_number: The channel; None if the occasion has none.
        description: What the fault struck, in words.
    """

    fault: str
    connection: str
    channel_number: int | None
    description: str
