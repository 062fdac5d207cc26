"""The types of tests/behaviour's fixtures, for the signatures of tests."""

from collections.abc import Callable
from typing import NamedTuple

from tests.support.peer import Peer

Connect = Callable[..., Peer]
"""Opens a connection; see `Peer.connect` for its arguments."""

Unique = Callable[[str], str]
"""Makes a name that nobody else uses out of a label."""


class Broker(NamedTuple):
    """A broker that a test runs on.

    Attributes:
        url: Where it listens, with a login that may do everything.
        version: "3.10" or "4.0": whose behaviour it shows.
        is_fake: Whether it is ours. Only fixtures may ask.
    """

    url: str
    version: str
    is_fake: bool
