"""The events of messages that exchanges delay."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..messages.message import Message
    from .ports import BegunDelay, EventRecorder

__all__ = ["record_delays"]


def record_delays(
    recorder: EventRecorder, delays: Collection[BegunDelay], message: Message, **details: Any
) -> bool:
    """Record that exchanges delay a message.

    Args:
        recorder: What records events.
        delays: The delays of the message.
        message: The message, which has its number now.
        details: Further details of the events.

    Returns:
        Whether an exchange delays the message.
    """
    for delay in delays:
        recorder.record(
            "delayed",
            message=message,
            exchange_name=delay.exchange_name,
            seconds=delay.seconds,
            due=delay.due,
            **details,
        )
    return bool(delays)
