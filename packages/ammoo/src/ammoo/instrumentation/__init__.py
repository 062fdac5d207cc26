"""Instruments of a connection: hooks, a recorder of frames, a guard of the event loop.

An instrument that the user has not asked for costs nothing.
"""

from .hooks import Hooks

__all__ = ["Hooks"]
