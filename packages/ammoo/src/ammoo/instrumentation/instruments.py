"""`Instruments`: what of all this a connection was asked for."""

from typing import NamedTuple

from .hooks import Hooks

__all__ = ["Instruments"]


class Instruments(NamedTuple):
    """What shows how a connection works; see `ammoo.connect`."""

    hooks: Hooks | None = None
    record_frames: int = 0
    """How many commands an error of the protocol shows."""
    stall_guard: float | None = None
    """From which share of the heartbeat interval on a stall of the event loop is logged."""
