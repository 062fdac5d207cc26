"""Octets from commands: frames are made here, and kept until they are taken."""

from struct import Struct
from struct import error as StructError
from typing import Final

from .constants import FRAME_END, FRAME_OVERHEAD, FrameType
from .exceptions import EncodeError

__all__ = ["CommandWriter"]

_FRAME_HEAD = Struct(">BHI")
_HEADER_HEAD = Struct(">BBHIHHQ")  # behind the end of the method frame
_BODY_HEAD = Struct(">BBHI")  # behind the end of the header frame
_END: Final = bytes((FRAME_END,))
_METHOD, _HEADER, _BODY, _ = map(int, FrameType)
_SMALL: Final = 4096  # octets of a body
_NO_LIMIT: Final = 0xFFFF_FFFF  # what the four octets of a frame's size can say


class CommandWriter:
    """Makes frames of commands, and keeps them until they are taken.

    A command is appended whole, in one synchronous stretch: two tasks that write
    to one channel cannot mingle their frames, and need no lock.

    Args:
        frame_max: The largest frame to make, in octets; 0 for no limit.

    Attributes:
        queued: The octets to send.
        frame_max: May be changed between two commands.
    """

    __slots__ = ("frame_max", "queued")

    def __init__(self, *, frame_max: int) -> None:
        self.frame_max = frame_max
        self.queued = bytearray()

    def take(self) -> bytearray:
        """Take all that is queued; the caller may keep it."""
        taken, self.queued = self.queued, bytearray()
        return taken

    def method(self, channel_number: int, payload: bytes) -> None:
        """Queue a method frame.

        Raises:
            EncodeError: It would be larger than frame_max, or there is no such channel
                number; nothing was queued.
        """
        if len(payload) + FRAME_OVERHEAD > self.frame_max and self.frame_max:
            raise self._misfit(len(payload))
        try:
            head = _FRAME_HEAD.pack(_METHOD, channel_number, len(payload))
        except StructError:
            raise _no_channel_number(channel_number) from None
        queued = self.queued
        queued += head
        queued += payload
        queued += _END

    def content(
        self,
        channel_number: int,
        payload: bytes,
        properties: bytes,
        body: bytes | bytearray | memoryview,
    ) -> None:
        """Queue a method with its content, the body cut into frames.

        Raises:
            EncodeError: The method or the properties would make a frame that is larger
                than frame_max, or there is no such channel number; nothing was queued.
            TypeError: The body is not made of octets; nothing was queued.
        """
        if type(body) is not bytes:
            body = _as_octets(body)
        method_size, properties_size, size = len(payload), len(properties), len(body)
        largest = self.frame_max - FRAME_OVERHEAD if self.frame_max else _NO_LIMIT
        if method_size > largest or properties_size + 12 > largest:
            raise self._misfit(method_size, properties_size + 12)
        try:
            method = _FRAME_HEAD.pack(_METHOD, channel_number, method_size)
        except StructError:
            raise _no_channel_number(channel_number) from None
        header = _HEADER_HEAD.pack(
            FRAME_END,
            _HEADER,
            channel_number,
            12 + properties_size,
            payload[0] << 8 | payload[1],
            0,
            size,
        )
        queued = self.queued
        if 0 < size <= largest and size <= _SMALL:
            # One join is faster than seven appends by a fifth; a large body it would copy twice.
            head = _BODY_HEAD.pack(FRAME_END, _BODY, channel_number, size)
            queued += b"".join((method, payload, header, properties, head, body, _END))
            return
        queued += b"".join((method, payload, header, properties, _END))
        view = memoryview(body)
        for start in range(0, size, largest):
            piece = view[start : start + largest]
            queued += _FRAME_HEAD.pack(_BODY, channel_number, len(piece))
            queued += piece
            queued += _END

    def heartbeat(self) -> None:
        """Queue a heartbeat frame."""
        self.queued += b"\x08\x00\x00\x00\x00\x00\x00\xce"

    def _misfit(self, method_size: int, header_size: int = 0) -> EncodeError:
        """Make the error for a method or a content header that is larger than a frame may be."""
        if method_size + FRAME_OVERHEAD > self.frame_max:
            what, size = "the method with its arguments", method_size
        else:
            what, size = "the content header with the message's properties", header_size
        return EncodeError(
            f"{what} takes a frame of {size + FRAME_OVERHEAD} octets; the peers have agreed on"
            f" at most {self.frame_max} (frame_max)"
        )


def _as_octets(body: bytes | bytearray | memoryview) -> memoryview | bytes:
    """Look at a body as at a row of octets, whatever its items and their order in memory."""
    view = memoryview(body)
    return view if view.contiguous and view.itemsize == 1 and view.ndim == 1 else view.tobytes()


def _no_channel_number(value: object) -> EncodeError:
    return EncodeError(f"channel_number is {value!r}; expected an integer from 0 to 65535")
