"""The vocabulary of programs: what one of them can tell a broker, step by step.

A program is a tuple of steps, plain data that Hypothesis makes and shrinks and that can be pasted
from a report back into Python. It knows nothing of brokers: names that must be nobody else's and
names that only a broker can make up stand in it as words, which `names` translates; deliveries
are meant by how many came, not by their tags, since a broker that serves two queues at once may
number them one way or the other.

Channels 1 to 8 are opened when a step first needs them, and again after they were closed; so are
connections. Others are used as they are: unopened.

Most connections are a superuser's, whose client can do all that clients can; two are not.
"""

from typing import Any, NamedTuple

from ammoo_wire import BasicHeaderProperties, BasicPublishParameters

OPENED_CHANNELS = range(1, 9)
LIMITED_CONNECTION = 2
"""The connection of a user who may configure, write or read only what says so in its name."""
BARE_CONNECTION = 3
"""The connection of a client that announces no capabilities."""


class Call(NamedTuple):
    """Send a method that has no content."""

    connection: int
    channel: int
    parameters: Any


class Publish(NamedTuple):
    """Send basic.publish with its content."""

    connection: int
    channel: int
    parameters: BasicPublishParameters
    properties: BasicHeaderProperties
    body: bytes


class Outstanding(NamedTuple):
    """The n-th delivery of the channel that was not settled yet, counting round and round."""

    ordinal: int


class Delivered(NamedTuple):
    """The n-th delivery of the channel, settled or not, counting round and round."""

    ordinal: int


class Settle(NamedTuple):
    """Send basic.ack, basic.nack or basic.reject; nothing if there is no such delivery.

    Attributes:
        verb: "ack", "nack" or "reject".
        delivery: Which one is meant; an integer is a delivery tag as it stands.
    """

    connection: int
    channel: int
    verb: str
    delivery: Outstanding | Delivered | int
    multiple: bool = False
    requeue: bool = True


class Raw(NamedTuple):
    """Send frames as they are: (frame type, payload)."""

    connection: int
    channel: int
    frames: tuple[tuple[int, bytes], ...]


class HangUp(NamedTuple):
    """Close the socket without a word."""

    connection: int


class Burst(NamedTuple):
    """Do several steps on a channel without waiting in between."""

    connection: int
    channel: int
    steps: "tuple[Call | Publish | Settle, ...]"


Step = Call | Publish | Settle | Raw | HangUp | Burst
Program = tuple[Step, ...]


def show(value: Any) -> str:
    """Write a step as Python, without what is there by default."""
    if not isinstance(value, tuple) or not hasattr(value, "_field_defaults"):
        return f"({', '.join(map(show, value))},)" if type(value) is tuple else repr(value)
    kind: Any = type(value)
    fields = [
        show(field) if name not in kind._field_defaults else f"{name}={show(field)}"
        for name, field in zip(kind._fields, value, strict=True)
        if name not in kind._field_defaults or field != kind._field_defaults[name]
    ]
    return f"{kind.__name__}({', '.join(fields)})"
