"""Both directions of a connection: the items of each peer, and the items that they answer.

A `Conversation` has two `CommandReader`s. It numbers the items of both peers, in the order in
which it received their octets, and finds the requests that a command answers:

- a reply (``queue.declare-ok``) answers the oldest request on its channel to which
  it is a reply;
- a server's ``basic.ack`` or ``basic.nack`` answers the publishes that it confirms;
- a client's ``basic.ack``, ``basic.nack`` or ``basic.reject`` answers the deliveries
  that it settles;
- a ``channel.close`` answers the request whose method it names.

A ``basic.return`` names no publish, so it answers none.

The number of items that wait for an answer is limited. Beyond the limit the oldest is forgotten, and
its answer then answers no item.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final, Literal, NamedTuple

from ..command import OversizedContent
from ..constants import DEFAULT_FRAME_MAX, DEFAULT_MAX_BODY_SIZE
from ..exceptions import show
from ..frames.method.basic import BasicAckParameters, BasicNackParameters, BasicRejectParameters
from ..frames.method.channel import ChannelCloseOkParameters, ChannelCloseParameters
from ..frames.method.connection import ConnectionTuneOkParameters
from ..method_codecs import Method, Parameters
from .read_items import BrokenFrame, Frame, ProtocolHeader, ReadCommand
from .reader import CommandReader

__all__ = ["Conversation", "Peer", "Said", "expected_replies"]

Peer = Literal["client", "server"]
"""One of the two peers of a connection."""
_OTHER: Final[dict[Peer, Peer]] = {"client": "server", "server": "client"}
_MOST_SHOWN: Final = 5  # numbers of answered items
_MOST_REQUESTS: Final = 64  # of one peer on one channel; clients wait for each answer
_MOST_TAGGED: Final = 65536  # publishes, and deliveries, of all channels together
_NONE: Final[deque[Any]] = deque(maxlen=0)
_SETTLE: Final = (BasicAckParameters, BasicNackParameters, BasicRejectParameters)

_NEXT_IN_LOGIN: Final = ("connection.secure", "connection.tune")
_LOGIN_REPLIES: Final = {
    "connection.start-ok": _NEXT_IN_LOGIN,
    "connection.secure-ok": _NEXT_IN_LOGIN,
}

Item = ReadCommand | Frame | ProtocolHeader | BrokenFrame


class Said(NamedTuple):
    """An item that one peer has sent; ``print(said)`` shows it as a line of text.

    ::

        conversation = Conversation()
        conversation.receive_data("client", encode_command(1, QueuePurgeParameters("orders")))
        (said,) = conversation.receive_data("server", encode_command(1, QueuePurgeOkParameters(3)))
        assert (said.name, said.answers) == ("queue.purge-ok", (0,))
    """

    number: int
    """Counted from 0 over both directions."""
    peer: Peer
    """``"client"`` or ``"server"``."""
    item: ReadCommand | Frame | ProtocolHeader | BrokenFrame
    """The item that `CommandReader` returned."""
    answers: Sequence[int] = ()
    """The numbers of the items that this one answers; empty if it answers none."""

    @property
    def name(self) -> str:
        """The item's name, for example ``"queue.declare-ok"``."""
        return self.item.name

    def describe(self, *, secrets: bool = False) -> str:
        """Return a line of text: number, peer, item, and the numbers of the items that it answers.

        Args:
            secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
        """
        answers = f" (answers {_describe_numbers(self.answers)})" if self.answers else ""
        said = self.item.describe(secrets=secrets)
        return f"#{self.number} {self.peer}: {said}{answers}"

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the item as values that the module `json` writes; see `to_json` of each kind of item.

        Args:
            secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
        """
        head = {"number": self.number, "peer": self.peer, "answers": list(self.answers)}
        return head | self.item.to_json(secrets=secrets)

    def __str__(self) -> str:
        return self.describe()


def _describe_numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"#{number}" for number in numbers[:_MOST_SHOWN])
    rest = len(numbers) - _MOST_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown


def expected_replies(item: Item) -> tuple[str, ...]:
    """Return the names of the methods that may answer an item; empty if none does."""
    if isinstance(item, ProtocolHeader):
        return ("connection.start",)
    if not isinstance(item, ReadCommand) or getattr(item.parameters, "no_wait", False):
        return ()
    return _LOGIN_REPLIES.get(item.name) or item.method.replies


class Conversation:
    """Reads both directions of one connection.

    ::

        conversation = Conversation()
        for peer, octets in capture:  # "client" or "server", and the octets that it wrote
            for said in conversation.receive_data(peer, octets):
                print(said)

    Args:
        frame_max: The largest frame to accept until the peers have agreed, in octets; 0 for no
            limit.
        max_body_size: The largest message body to keep, in octets. The command of a
            larger one has an `OversizedContent` for its parameters.
        skip_broken: Whether to continue reading after a broken frame. False, the default, ends the
            reading of that direction at its first broken frame.

    Attributes:
        client: The reader of the client's octets.
        server: The reader of the server's octets.
    """

    def __init__(
        self,
        *,
        frame_max: int = DEFAULT_FRAME_MAX,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        skip_broken: bool = False,
    ) -> None:
        def reader() -> CommandReader:
            return CommandReader(
                frame_max=frame_max, max_body_size=max_body_size, skip_broken=skip_broken
            )

        self.client: CommandReader = reader()
        self.server: CommandReader = reader()
        self._number = 0
        self._requests = _Requests()
        self._publishes = _Tagged()  # that a server may confirm
        self._deliveries = _Tagged()  # that a client may settle
        self._next_publish: dict[int, int] = {}  # of the channels in confirm mode

    def receive_data(self, peer: Peer, data: bytes | bytearray | memoryview) -> list[Said]:
        """Read octets of a peer, in pieces of any size, and return the items that are complete.

        Args:
            peer: ``"client"`` or ``"server"``.
            data: The octets.

        Raises:
            ValueError: The peer is neither.
        """
        if peer not in _OTHER:
            raise ValueError(f"peer is {show(peer)}; expected 'client' or 'server'")
        reader = self.client if peer == "client" else self.server
        return [self._say(peer, item) for item in reader.receive_data(data)]

    def _say(self, peer: Peer, item: Item) -> Said:
        number = self._number
        self._number += 1
        answers = self._answers(number, peer, item) if isinstance(item, ReadCommand) else ()
        replies = expected_replies(item)
        if replies:
            method_id = item.method.id if isinstance(item, ReadCommand) else (0, 0)
            request = _Request(number, replies, method_id)
            self._requests.add(peer, item.channel_number, request)
        return Said(number, peer, item, answers)

    def _answers(self, number: int, peer: Peer, command: ReadCommand) -> Sequence[int]:
        """Find the items that a command answers, and record a command that may be settled by tag."""
        channel_number, parameters, method = command[0], command.parameters, command.method
        answers: Sequence[int] = self._requests.take(_OTHER[peer], channel_number, method.name)
        if isinstance(parameters, ConnectionTuneOkParameters):
            self.client.frame_max = self.server.frame_max = parameters.frame_max
        elif isinstance(parameters, ChannelCloseParameters):
            method_id = parameters.class_id, parameters.method_id
            answers = self._requests.take_method(_OTHER[peer], channel_number, method_id)
        elif isinstance(parameters, ChannelCloseOkParameters):
            self._forget_channel(channel_number)
        elif peer == "client":
            answers = self._client_settles(number, channel_number, method, parameters) or answers
        else:
            answers = self._server_confirms(number, channel_number, method, parameters) or answers
        return answers

    def _client_settles(
        self, number: int, channel_number: int, method: Method, parameters: Any
    ) -> Sequence[int]:
        if method.name == "confirm.select":
            self._next_publish.setdefault(channel_number, 1)
        elif method.name == "basic.publish" and channel_number in self._next_publish:
            tag = self._next_publish[channel_number]
            self._next_publish[channel_number] = tag + 1
            self._publishes.add(channel_number, tag, number)
        return self._deliveries.settled_by(channel_number, parameters)

    def _server_confirms(
        self, number: int, channel_number: int, method: Method, parameters: Any
    ) -> Sequence[int]:
        if method.name in ("basic.deliver", "basic.get-ok"):
            if isinstance(parameters, OversizedContent):
                parameters = parameters.parameters
            self._deliveries.add(channel_number, parameters.delivery_tag, number)
        return self._publishes.settled_by(channel_number, parameters)

    def _forget_channel(self, channel_number: int) -> None:
        self._requests.forget(channel_number)
        self._publishes.forget(channel_number)
        self._deliveries.forget(channel_number)
        self._next_publish.pop(channel_number, None)


class _Request(NamedTuple):
    """A request that has not been answered."""

    number: int
    replies: tuple[str, ...]
    method_id: tuple[int, int]


class _Requests:
    """The requests of both peers that have not been answered, by peer and channel."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Peer, int], deque[_Request]] = {}

    def add(self, peer: Peer, channel_number: int, request: _Request) -> None:
        """Record a request."""
        waiting = self._waiting.setdefault((peer, channel_number), deque(maxlen=_MOST_REQUESTS))
        waiting.append(request)

    def take(self, peer: Peer, channel_number: int, reply: str) -> Sequence[int]:
        """Remove the oldest request of a peer to which this is a reply; return its number."""
        waiting = self._waiting.get((peer, channel_number), _NONE)
        return _take(waiting, [each for each in waiting if reply in each.replies])

    def take_method(
        self, peer: Peer, channel_number: int, method_id: tuple[int, int]
    ) -> Sequence[int]:
        """Remove the oldest request of a peer that has this method; return its number."""
        waiting = self._waiting.get((peer, channel_number), _NONE)
        return _take(waiting, [each for each in waiting if each.method_id == method_id])

    def forget(self, channel_number: int) -> None:
        """Forget the requests of a channel."""
        self._waiting.pop(("client", channel_number), None)
        self._waiting.pop(("server", channel_number), None)


def _take(waiting: deque[_Request], matching: list[_Request]) -> Sequence[int]:
    if not matching:
        return ()
    waiting.remove(matching[0])
    return (matching[0].number,)


class _Tagged:
    """Publishes or deliveries that have not been settled, by channel and tag.

    On each channel the tags count up.
    """

    def __init__(self) -> None:
        # OrderedDicts: the oldest is settled first, and a plain dict steps over all removed entries.
        self._numbers: dict[int, OrderedDict[int, int]] = {}
        self._count = 0

    def add(self, channel_number: int, tag: int, number: int) -> None:
        """Record a publish or a delivery."""
        numbers = self._numbers.setdefault(channel_number, OrderedDict())
        numbers[tag] = number
        self._count += 1
        if self._count > _MOST_TAGGED:
            self._take(numbers, [next(iter(numbers))])

    def settled_by(self, channel_number: int, parameters: Parameters) -> Sequence[int]:
        """Remove the items that a basic.ack, basic.nack or basic.reject settles; return their numbers."""
        numbers = self._numbers.get(channel_number)
        if numbers is None or not isinstance(parameters, _SETTLE):
            return ()
        tag = parameters.delivery_tag
        if isinstance(parameters, BasicRejectParameters) or not parameters.multiple:
            return self._take(numbers, [tag] if tag in numbers else [])
        return self._take(numbers, list(takewhile(lambda each: not tag or each <= tag, numbers)))

    def forget(self, channel_number: int) -> None:
        """Forget the items of a channel."""
        self._count -= len(self._numbers.pop(channel_number, ()))

    def _take(self, numbers: dict[int, int], tags: list[int]) -> Sequence[int]:
        self._count -= len(tags)
        return tuple(numbers.pop(tag) for tag in tags)
