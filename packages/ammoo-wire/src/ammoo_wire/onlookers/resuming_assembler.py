"""The assembler of an onlooker: it counts octets, and can continue after a broken frame.

A peer that reads a broken frame closes the connection. An onlooker may continue: behind the
frame if the frame has an end, and else at the next octets that can begin a frame.
"""

import re
from typing import Final, Generic, TypeVar

from ..constants import FRAME_END, FRAME_HEAD_SIZE, FRAME_OVERHEAD, FrameType
from ..exceptions import FramingLost, ProtocolError
from ..incoming_frames import CommandAssembler

__all__ = ["ItemT", "ResumingAssembler"]

_FRAME_TYPES: Final = frozenset(FrameType)
_FRAME_BEGIN = re.compile(rb"[\x01\x02\x03\x08]")

ItemT = TypeVar("ItemT")
"""The type of a reader's items."""


class ResumingAssembler(CommandAssembler, Generic[ItemT]):
    """An assembler that counts the octets, and can continue after a broken frame.

    Attributes:
        base: The offset of the buffer's first octet, counted from the beginning of all octets.
        found: The list to which complete items are appended.
    """

    def __init__(self, *, frame_max: int, max_body_size: int) -> None:
        super().__init__(frame_max=frame_max, max_body_size=max_body_size)
        self.base = 0
        self.found: list[ItemT] = []
        self._frame = (0, 0)  # where the last frame stands in the buffer

    @property
    def offset(self) -> int:
        """The offset of the first octet that is not read yet."""
        return self.base + self._start

    @property
    def stop(self) -> int:
        """The position in the buffer behind the last octet that was received."""
        return self._stop

    def begins_with(self, octets: bytes) -> bool:
        """Return whether these octets are the next ones."""
        return self._buffer.startswith(octets, self._start, self._stop)

    def skip(self, error: ProtocolError) -> tuple[bytes, int]:
        """Skip a broken frame; return its octets (some of them) and their offset."""
        if not isinstance(error, FramingLost):
            begin, end = self._frame
            return bytes(self._view[begin:end]), self.base + begin
        begin = self._start
        self._start = self._next_frame(begin)
        self._contents.clear()
        return error.octets[: self._start - begin], self.base + begin

    def _next_frame(self, broken: int) -> int:
        """Find where the next frame may begin behind a broken one."""
        size = int.from_bytes(self._buffer[broken + 3 : broken + FRAME_HEAD_SIZE])
        behind = broken + size + FRAME_OVERHEAD
        if behind == self._stop or (behind < self._stop and self._buffer[behind] in _FRAME_TYPES):
            return behind  # only its last octet was wrong
        for match in _FRAME_BEGIN.finditer(self._view, broken + 1, self._stop):
            if self._may_begin(match.start()):
                return match.start()
        return self._stop

    def _may_begin(self, position: int) -> bool:
        """Return whether a frame may begin here: a whole one, or one behind another's end."""
        buffer = self._buffer
        head = position + FRAME_HEAD_SIZE
        size = int.from_bytes(buffer[position + 3 : head]) if head <= self._stop else 0
        if self.frame_max and size > self.frame_max:
            return False
        end = head + size if head + size < self._stop else position - 1
        return buffer[end] == FRAME_END
