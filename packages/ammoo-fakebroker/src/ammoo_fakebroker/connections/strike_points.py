"""The strike points, at which scripted faults change what a connection does.

Each point is a function, or None while no fault is in force there, so an unused point costs one
comparison. The core calls each point at one place. `faults/`, which the core does not know, decides
which fault strikes, and when.
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

    Connections and channels are passed as objects without a type, because they refer to this room.

    Attributes:
        login: Called with a connection whose login is accepted, and the mechanism's name. Returns the
            text to refuse the login with, or None.
        method: Called with a command before it is executed. Returns whether to skip the command.
        publish: Called with a publish that has passed all checks, before it is routed, and whether it
            is mandatory. Returns whether to skip the publish.
        copy: Called with a publish and the queues that have just taken it.
        confirm: Called with a publish, its sequence number, and whether all queues accepted it.
            Returns whether to skip its confirm.
        deliver: Called with a consumer and its next message. Returns whether to skip the delivery.
        accept: Called with a client whose socket is accepted, before its first octet.
        opened: Called with a connection that has just been opened.
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
