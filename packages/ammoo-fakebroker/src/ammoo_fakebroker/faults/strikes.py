"""A strike: one effect of a fault, as a test sees it."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Strike"]


class Strike(NamedTuple):
    """One strike of a fault."""

    fault: str
    """The name of the fault, such as ``nack_publishes``."""
    connection: str
    """The client's name of the connection; without one, the name that RabbitMQ gives it."""
    channel_number: int | None
    """The channel; None if the occasion has none."""
    description: str
    """What the fault struck, in words."""
