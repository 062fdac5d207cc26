"""The fast path of receiving: contents that stand whole in the buffer, in three adjacent frames.

Nearly all messages are so: a basic.deliver or basic.publish, a content header,
and one body frame right behind each other. What stands where in them depends on
a few sizes only, so a single `Struct` can read all of it at once. The first
twelve octets choose which; everything that was skipped is compared afterwards,
and whatever is not as expected is left, untouched, to the general path of
`CommandAssembler`, which also words all errors.

What is remembered has keys that the peer chooses, so all of it is bounded.
"""

from struct import Struct
from struct import error as StructError
from typing import Any, Final

from .codec import method_of
from .command import Command
from .constants import FRAME_END, FRAME_OVERHEAD, FrameType
from .exceptions import ProtocolError
from .frames.method.basic import BasicDeliverParameters, BasicPublishParameters

__all__ = ["WHOLE_IDS", "WholeContents"]


_KEY = Struct(">12s")  # frame type, channel, size, class, method, and the octet behind them
_HEADER_SIZE = Struct(">I")
_DELIVER: Final = method_of(BasicDeliverParameters)
_PUBLISH: Final = method_of(BasicPublishParameters)
WHOLE_IDS: Final = {
    method.class_id << 16 | method.method_id: method for method in (_DELIVER, _PUBLISH)
}
"""The methods that have a shape, by class id, shifted left by 16, plus method id."""

_SMALLEST_HEADER: Final = 14  # class, weight, body size and flags, in octets
_END: Final = bytes((FRAME_END,))
_MOST_SHAPES: Final = 512
_MOST_NAMES: Final = 1024


class _Shape:
    """Where everything stands when the method and the content header have certain sizes.

    Args:
        key: The first twelve octets of the method frame.
        delivers: Whether the method is basic.deliver; else it is basic.publish.
        header_size: The size of the content header frame's payload, in octets.
        names: What is remembered of the names in such methods.

    Raises:
        ValueError: The sizes are impossible.
    """

    __slots__ = ("body", "channel_number", "delivers", "middle", "names", "tail", "unpack")

    def __init__(
        self, key: bytes, *, delivers: bool, header_size: int, names: dict[bytes, tuple[Any, ...]]
    ) -> None:
        channel, size = key[1:3], int.from_bytes(key[3:7])
        if delivers:
            tag_size = key[11]
            arguments = f"{tag_size}sQB{size - 5 - tag_size - 9}s"
        else:
            arguments = f"{size - 5}s"
        struct = Struct(f">{arguments}12sQ{header_size - 12}s4sI")
        self.channel_number = int.from_bytes(channel)
        self.delivers = delivers
        self.names = names
        self.unpack = struct.unpack_from
        self.body = _KEY.size + struct.size
        # From the end of the method frame up to the body size in the header frame,
        self.middle = b"%b\x02%b%b\x00\x3c\x00\x00" % (
            _END,
            channel,
            _HEADER_SIZE.pack(header_size),
        )
        # and from the end of the header frame up to the size of the body frame.
        self.tail = b"%b\x03%b" % (_END, channel)


class WholeContents:
    """Takes whole contents off the front of a buffer, as long as it knows their shape."""

    __slots__ = ("_delivered_names", "_published_names", "_shapes", "_shapes_by_header", "_tags")

    def __init__(self) -> None:
        self._shapes: dict[bytes, _Shape] = {}  # the one that was met last
        self._shapes_by_header: dict[tuple[bytes, int], _Shape] = {}
        self._delivered_names: dict[bytes, tuple[Any, ...]] = {}
        self._published_names: dict[bytes, tuple[Any, ...]] = {}
        self._tags: dict[bytes, str] = {}

    def take(
        self, buffer: bytearray, start: int, stop: int, largest: int, commands: list[Command]
    ) -> int:
        """Append the commands at the front of `buffer` that are as expected.

        Args:
            buffer: What was read.
            start: Where a method frame begins in it, on a channel that has no content
                under way.
            stop: Where what was read ends.
            largest: How large the payload of a body frame may be, in octets.
            commands: Where to append.

        Returns:
            Where the first thing begins that is not as expected.
        """
        shapes, tags = self._shapes, self._tags
        key_of, new, append = _KEY.unpack_from, tuple.__new__, commands.append
        while stop - start > _KEY.size:
            (key,) = key_of(buffer, start)
            shape = shapes.get(key) or self._learn(key, buffer, start, stop, largest)
            if shape is None or start + shape.body >= stop:
                break
            if shape.delivers:
                tag, delivery_tag, bits, names, middle, size, properties, tail, frame_size = (
                    shape.unpack(buffer, start + 12)
                )
            else:
                names, middle, size, properties, tail, frame_size = shape.unpack(buffer, start + 12)
            if middle != shape.middle:
                if self._learn(key, buffer, start, stop, largest) is None:
                    break
                continue
            body = start + shape.body
            end = body + size
            if (
                tail != shape.tail
                or size != frame_size
                or size > largest
                or end >= stop
                or buffer[end] != FRAME_END
            ):
                break
            parameters = shape.names.get(names) or self._read_names(key, names, shape)
            if parameters is None:
                break
            if shape.delivers:
                consumer_tag = tags.get(tag) or self._read_tag(tag)
                if consumer_tag is None:
                    break
                parameters = new(
                    BasicDeliverParameters,
                    (consumer_tag, delivery_tag, bits & 1 != 0, *parameters),
                )
            append(new(Command, (shape.channel_number, parameters, properties, buffer[body:end])))
            start = end + 1
        return start

    def _learn(
        self, key: bytes, buffer: bytearray, start: int, stop: int, largest: int
    ) -> _Shape | None:
        """Find the shape of the content that begins at `start`, if it can have one."""
        described = WHOLE_IDS.get(int.from_bytes(key[7:11]))
        header = start + FRAME_OVERHEAD + int.from_bytes(key[3:7])
        if key[0] != FrameType.METHOD or described is None or header + 7 > stop:
            return None
        (header_size,) = _HEADER_SIZE.unpack_from(buffer, header + 3)
        if not _SMALLEST_HEADER <= header_size <= largest or key[1:3] == b"\x00\x00":
            return None
        shape = self._shapes_by_header.get((key, header_size))
        if shape is None:
            delivers = described is _DELIVER
            names = self._delivered_names if delivers else self._published_names
            try:
                shape = _Shape(key, delivers=delivers, header_size=header_size, names=names)
            except (StructError, OverflowError):
                return None
            if len(self._shapes_by_header) >= _MOST_SHAPES:
                self._shapes.clear()
                self._shapes_by_header.clear()
            self._shapes_by_header[key, header_size] = shape
        if buffer[header - 1 : header + 11] != shape.middle:
            return None
        self._shapes[key] = shape
        return shape

    def _read_names(self, key: bytes, octets: bytes, shape: _Shape) -> tuple[Any, ...] | None:
        """Read the arguments of a basic.publish, or those of a basic.deliver that are names."""
        whole = b"\x00" + bytes(9) + octets if shape.delivers else key[11:] + octets
        described = _DELIVER if shape.delivers else _PUBLISH
        try:
            parameters = described.decode(whole, 0, len(whole))
        except ProtocolError:
            return None
        if len(shape.names) >= _MOST_NAMES:
            shape.names.clear()
        read: tuple[Any, ...] = parameters[3:] if shape.delivers else parameters
        shape.names[octets] = read
        return read

    def _read_tag(self, octets: bytes) -> str | None:
        try:
            tag = octets.decode()
        except UnicodeDecodeError:
            return None
        if len(self._tags) >= _MOST_NAMES:
            self._tags.clear()
        self._tags[octets] = tag
        return tag
