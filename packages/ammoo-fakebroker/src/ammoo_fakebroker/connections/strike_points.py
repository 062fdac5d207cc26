"""The strike points: where scripted faults can take a hand in what a connection does.

Each point is a function, or None while no fault is in force there: that is all that a fault costs
while there is none. The core asks the point at one place each; what strikes, and when, is decided
above, in `faults/`, which the core does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ammoo_wire import Command

    from ..messages.message import Message, QueuedMessage
    from ..queues.consumers import Consumer
    from ..queues.queue import Queue

__all__ = ["StrikePoints"]


class StrikePoints:
    """The strike points of all connections to one node; each may be None.

    Connections and channels are passed as mere objects: the channel and its connection hold this.

    Attributes:
        login: Gets a connection whose login is accepted, and the mechanism's name. Returns the text
            to refuse it with, or None.
        method: Gets a command before it is executed. Returns whether it must not be executed.
        publish: Gets a publish that has passed all checks, before it is routed, and whether it is
            mandatory. Returns whether it is dealt with.
        copy: Gets a publish and the queues that have just taken it.
        confirm: Gets a publish whose fate is known, its sequence number, and whether all queues
            accepted it. Returns whether its confirm must not be sent.
        deliver: Gets a message on its way to a consumer. Returns whether it must not be sent.
        accept: Gets a client whose socket is accepted, before its first octet.
        opened: Gets a connection that has just been opened.
    """

    __slots__ = (
        "accept",
        "confirm",
        "copy",
        "deliver",
        "login",
        "method",
        "opened",
        "publish",
    )

    def __init__(self) -> None:
        self.accept: Callable[[object], object] | None = None
        self.opened: Callable[[object], object] | None = None
        self.login: Callable[[object, str], str | None] | None = None
        self.method: Callable[[object, Command], bool] | None = None
        self.publish: Callable[[object, Message, bool], bool] | None = None
        self.copy: Callable[[object, Message, Collection[Queue]], object] | None = None
        self.confirm: Callable[[object, Message, int, bool], bool] | None = None
        self.deliver: Callable[[Consumer, QueuedMessage], bool] | None = None
