"""Recovery: what happens between the loss of a connection and the next one.

`Recovery` is what the user asks for. The rooms behind it are imported when a connection is
made with it, and not before.
"""

from .options import Recovery

__all__ = ["Recovery"]
