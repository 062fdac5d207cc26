"""RabbitMQ's names for the limits in definitions, and the fields that hold them here."""

from __future__ import annotations

from typing import Final

__all__ = ["USER_LIMITS", "VIRTUALHOST_LIMITS"]

USER_LIMITS: Final = {"max-connections": "max_connections", "max-channels": "max_channels"}
VIRTUALHOST_LIMITS: Final = {"max-connections": "max_connections", "max-queues": "max_queues"}
