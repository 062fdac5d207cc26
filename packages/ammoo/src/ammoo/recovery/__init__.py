"""Recovery: what happens between the loss of a connection and the next one.

`Recovery` holds the options that the user sets. A connection that has them imports the other
rooms; all other connections do not.
"""

from .options import Recovery

__all__ = ["Recovery"]
