"""What shows how a connection works: hooks, a recorder of frames, a guard of the event loop.

Each costs nothing where it is not asked for.
"""

from .hooks import Hooks

__all__ = ["Hooks"]
