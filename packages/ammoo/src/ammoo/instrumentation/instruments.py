"""`Instruments`: the instruments that the user has asked for."""

from typing import NamedTuple

from .hooks import Hooks

__all__ = ["Instruments"]


class Instruments(NamedTuple):
    """The instruments of a connection; see `ammoo.connect`."""

    hooks: Hooks | None = None
    record_frames: int = 0
    """How many commands a protocol error shows."""
    stall_guard: float | None = None
    """The share of the heartbeat interval after which a stall of the event loop is logged."""
