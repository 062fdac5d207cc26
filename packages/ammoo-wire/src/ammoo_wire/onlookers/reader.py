"""Reading for onlookers: what one peer wrote, frame by frame or command by command.

A peer (`ClientProtocol`, `ServerProtocol`) handles a part of what it reads by itself, and
returns the rest. An onlooker (a tool, a proxy, the reader of a capture) wants all of it: the
protocol header, the opening, heartbeats, closes and broken frames. `FrameReader` and
`CommandReader` read one direction of a connection, in pieces of any size; `conversation`
joins two of them.

Both are built on the peers' `CommandAssembler`, so they split, check and limit frames as the
peers do. `FrameReader` keeps each frame; `CommandReader` assembles frames and keeps commands.
"""

from abc import ABC, abstractmethod
from struct import Struct
from typing import Final, Generic

from ..command import Command
from ..constants import (
    DEFAULT_FRAME_MAX,
    DEFAULT_MAX_BODY_SIZE,
    FRAME_HEAD_SIZE,
    FRAME_MIN_SIZE,
    FRAME_OVERHEAD,
    PROTOCOL_HEADER,
    FrameType,
)
from ..exceptions import FramingLost, ProtocolError
from ..fields import as_octets
from ..frames.method.connection import ConnectionTuneOkParameters, ConnectionTuneParameters
from ..whole_contents import WholeContents
from .read_items import BrokenFrame, Frame, ProtocolHeader, ReadCommand
from .resuming_assembler import ItemT, ResumingAssembler

__all__ = ["CommandReader", "FrameReader"]

_METHOD: Final = int(FrameType.METHOD)
_HEADER: Final = int(FrameType.HEADER)
_BODY: Final = int(FrameType.BODY)
_SIZE: Final = Struct(">I")
_MAGIC: Final = PROTOCOL_HEADER[:4]
_new = tuple.__new__


class _Reader(ABC, Generic[ItemT]):
    """The base of both readers: it receives octets, and finds protocol headers and broken frames.

    Attributes:
        failure: The error of the first broken frame, or None.
    """

    def __init__(self, assembler: "ResumingAssembler[ItemT]", *, skip_broken: bool) -> None:
        self._assembler = assembler
        self._skip_broken = skip_broken
        self._received = 0
        self._scratch: list[Command] = []
        self.failure: ProtocolError | None = None

    @property
    def frame_max(self) -> int:
        """The largest frame to accept, in octets; 0 for no limit. May be changed at any time."""
        return self._assembler.frame_max

    @frame_max.setter
    def frame_max(self, value: int) -> None:
        self._assembler.frame_max = value

    @abstractmethod
    def _not_a_frame(self, item: ProtocolHeader | BrokenFrame) -> ItemT:
        """Return the item as one of those that the reader returns."""

    def receive_data(self, data: bytes | bytearray | memoryview) -> list[ItemT]:
        """Read octets, in pieces of any size, and return the items that are complete now.

        Args:
            data: The octets.
        """
        assembler, found = self._assembler, list[ItemT]()
        assembler.found = found
        view = as_octets(data)
        while view:
            count = assembler.copy_in(view)
            assembler.buffer_updated(count)
            self._received += count
            self._read(found)
            view = view[count:]
        return found

    def _read(self, found: list[ItemT]) -> None:
        assembler = self._assembler
        assembler.base = self._received - assembler.stop
        more = True
        while more:
            if self.failure is not None and not self._skip_broken:
                assembler.discard()
                return
            try:
                more = self._read_on(found)
            except ProtocolError as error:
                # A protocol header is no frame, and needs not be one.
                if not (isinstance(error, FramingLost) and assembler.begins_with(_MAGIC)):
                    self._fail(found, error)

    def _read_on(self, found: list[ItemT]) -> bool:
        """Read the octets that have arrived; return whether there may be more complete items."""
        assembler = self._assembler
        if not assembler.begins_with(_MAGIC):
            # A frame's head is longer than the beginning that is looked for here.
            return assembler.assemble(self._scratch)
        offset = assembler.offset
        octets = assembler.take(len(PROTOCOL_HEADER))
        if octets is None:
            return False
        found.append(self._not_a_frame(ProtocolHeader(octets, offset)))
        return True

    def _fail(self, found: list[ItemT], error: ProtocolError) -> None:
        if self.failure is None:
            self.failure = error
        octets, offset = self._assembler.skip(error)
        found.append(self._not_a_frame(BrokenFrame(octets, offset, error)))


# --- frames --------------------------------------------------------------------------------


class FrameReader(_Reader[Frame | ProtocolHeader | BrokenFrame]):
    """Reads one direction of a connection frame by frame.

    ::

        reader = FrameReader()
        for frame in reader.receive_data(octets):
            print(frame.offset, frame.channel_number, frame.name)

    Frames are not assembled: the reader accepts well-formed frames in any order.

    Args:
        frame_max: The largest frame to accept, in octets; 0 for no limit.
        skip_broken: Whether to continue reading after octets that are no frame. False, the
            default, ends the reading there, and drops all later octets.

    Attributes:
        failure: The error of the first broken frame, or None.
    """

    def __init__(self, *, frame_max: int = DEFAULT_FRAME_MAX, skip_broken: bool = False) -> None:
        super().__init__(
            _FrameKeeper(frame_max=frame_max, max_body_size=0), skip_broken=skip_broken
        )

    def _not_a_frame(self, item: ProtocolHeader | BrokenFrame) -> ProtocolHeader | BrokenFrame:
        return item


class _FrameKeeper(ResumingAssembler[Frame | ProtocolHeader | BrokenFrame]):
    """Keeps each frame instead of assembling it."""

    def _keep(
        self, commands: list[Command], frame_type: int, channel_number: int, payload: int, end: int
    ) -> None:
        octets = bytes(self._view[payload:end])
        self.found.append(
            _new(Frame, (frame_type, channel_number, octets, self.base + payload - FRAME_HEAD_SIZE))
        )

    _other = _keep

    def _method(
        self, commands: list[Command], channel_number: int, ids: int, payload: int, end: int
    ) -> None:
        self._keep(commands, _METHOD, channel_number, payload, end)

    def _header(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        self._keep(commands, _HEADER, channel_number, payload, end)

    def _body(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        self._keep(commands, _BODY, channel_number, payload, end)


# --- commands ------------------------------------------------------------------------------


class CommandReader(_Reader[ReadCommand | Frame | ProtocolHeader | BrokenFrame]):
    """Reads one direction of a connection command by command.

    ::

        reader = CommandReader()
        for command in reader.receive_data(octets):
            print(command)

    It returns commands (`ReadCommand`), heartbeats (as a `Frame`), the protocol header
    (`ProtocolHeader`) and broken frames (`BrokenFrame`): each has an ``offset``, a
    ``channel_number`` and a ``name``, and prints as a line of text.

    The limit of frames follows the connection: connection.tune and connection.tune-ok
    set it when they are read, at most to a frame that holds a body of max_body_size.

    Args:
        frame_max: The largest frame to accept, in octets; 0 for no limit.
        max_body_size: The largest message body to keep, in octets. The command of a
            larger one has an `OversizedContent` for its parameters.
        skip_broken: Whether to continue reading after a broken frame. False, the default, ends
            the reading there, as a connection would end, and drops all later octets.

    Attributes:
        failure: The error of the first broken frame, or None.
    """

    def __init__(
        self,
        *,
        frame_max: int = DEFAULT_FRAME_MAX,
        max_body_size: int = DEFAULT_MAX_BODY_SIZE,
        skip_broken: bool = False,
    ) -> None:
        assembler = _CommandKeeper(frame_max=frame_max, max_body_size=max_body_size)
        super().__init__(assembler, skip_broken=skip_broken)

    def _not_a_frame(self, item: ProtocolHeader | BrokenFrame) -> ProtocolHeader | BrokenFrame:
        return item


class _CommandKeeper(ResumingAssembler[ReadCommand | Frame | ProtocolHeader | BrokenFrame]):
    """Notes where commands begin, and keeps heartbeats."""

    def __init__(self, *, frame_max: int, max_body_size: int) -> None:
        super().__init__(frame_max=frame_max, max_body_size=max_body_size)
        self.takes_channels = True
        self._largest_frame_max = frame_max and max(frame_max, max_body_size + FRAME_OVERHEAD)
        self._begins: dict[int, int] = {}  # where the content under way on a channel began
        self._whole_contents = _KeptContents(self)

    def keep(self, command: Command, offset: int) -> None:
        """Append a command that is complete."""
        self.found.append(_new(ReadCommand, (*command, offset)))

    def skip(self, error: ProtocolError) -> tuple[bytes, int]:
        octets, offset = super().skip(error)
        if isinstance(error, FramingLost):
            self._begins.clear()
            return octets, offset
        begin, _ = self._frame
        channel_number = int.from_bytes(octets[1:3])
        if self._contents.pop(channel_number, None) is None or octets[0] != _METHOD:
            return octets, offset
        # The content is broken; the method that came instead of its rest is read again.
        self._start = begin
        return b"", self._begins.pop(channel_number, offset)

    def _method(
        self, commands: list[Command], channel_number: int, ids: int, payload: int, end: int
    ) -> None:
        begin = payload - FRAME_HEAD_SIZE
        self._frame = begin, end + 1
        super()._method(commands, channel_number, ids, payload, end)
        if not commands:
            self._begins[channel_number] = self.base + begin
            return
        command = commands.pop()
        self.keep(command, self.base + begin)
        if isinstance(command[1], ConnectionTuneParameters | ConnectionTuneOkParameters):
            self._agree(command[1].frame_max)

    def _agree(self, frame_max: int) -> None:
        """Take frames as large as the peers may have agreed on, but none without bound."""
        largest = self._largest_frame_max
        if frame_max == 0 or (largest and frame_max > largest):
            self.frame_max = largest
        elif frame_max >= FRAME_MIN_SIZE:
            self.frame_max = frame_max

    def _header(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        self._frame = payload - FRAME_HEAD_SIZE, end + 1
        super()._header(commands, channel_number, payload, end)
        self._keep_content(commands)

    def _body(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        self._frame = payload - FRAME_HEAD_SIZE, end + 1
        super()._body(commands, channel_number, payload, end)
        self._keep_content(commands)

    def _keep_content(self, commands: list[Command]) -> None:
        if commands:
            command = commands.pop()
            self.keep(command, self._begins.pop(command[0]))

    def _other(
        self, commands: list[Command], frame_type: int, channel_number: int, payload: int, end: int
    ) -> None:
        begin = payload - FRAME_HEAD_SIZE
        self._frame = begin, end + 1
        super()._other(commands, frame_type, channel_number, payload, end)
        self.found.append(Frame(frame_type, channel_number, b"", self.base + begin))


class _KeptContents(WholeContents):
    """The fast path, which finds out afterwards where each of its commands began."""

    __slots__ = ("_keeper",)

    def __init__(self, keeper: _CommandKeeper) -> None:
        super().__init__()
        self._keeper = keeper

    def take(
        self,
        ids: int,
        buffer: bytearray,
        start: int,
        stop: int,
        largest: int,
        commands: list[Command],
    ) -> int:
        taken: list[Command] = []
        behind = super().take(ids, buffer, start, stop, largest, taken)
        base, append = self._keeper.base, self._keeper.found.append
        position, size_at = start, _SIZE.unpack_from
        for command in taken:
            append(_new(ReadCommand, (*command, base + position)))
            position += size_at(buffer, position + 3)[0] + FRAME_OVERHEAD
            body = command[3]
            if body is not None:  # a content header and one body frame follow
                position += size_at(buffer, position + 3)[0] + len(body) + 2 * FRAME_OVERHEAD
        return behind
