"""Publishing many messages with exact outcomes: `Channel.publisher` makes a `Publisher`."""

from .confirmation import Confirmation
from .publisher import Publication, Publisher

__all__ = ["Confirmation", "Publication", "Publisher"]
