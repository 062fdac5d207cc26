"""Octets from commands: frames are made here, and kept until they are taken."""

from struct import Struct
from typing import Final

from .constants import FRAME_END, FRAME_OVERHEAD, FrameType
from .exceptions import EncodeError

__all__ = ["CommandWriter"]

_FRAME_HEAD = Struct(">BHI")
_HEADER_HEAD = Struct(">BHIHHQ")
_END: Final = bytes((FRAME_END,))
_METHOD, _HEADER, _BODY, _HEARTBEAT = map(int, FrameType)


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
            EncodeError: It would be larger than frame_max; nothing was queued.
        """
        self._check_fits(payload, "the method with its arguments")
        queued = self.queued
        queued += _FRAME_HEAD.pack(_METHOD, channel_number, len(payload))
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
                than frame_max; nothing was queued.
        """
        self._check_fits(payload, "the method with its arguments")
        self._check_fits(properties, "the content header with the message's properties", 12)
        size = len(body)
        queued = self.queued
        queued += b"%b%b\xce%b%b\xce" % (
            _FRAME_HEAD.pack(_METHOD, channel_number, len(payload)),
            payload,
            _HEADER_HEAD.pack(
                _HEADER, channel_number, 12 + len(properties), payload[0] << 8 | payload[1], 0, size
            ),
            properties,
        )
        largest = self.frame_max - FRAME_OVERHEAD if self.frame_max else size
        if size <= largest:
            if size:
                queued += _FRAME_HEAD.pack(_BODY, channel_number, size)
                queued += body
                queued += _END
            return
        view = memoryview(body)
        for start in range(0, size, largest):
            piece = view[start : start + largest]
            queued += _FRAME_HEAD.pack(_BODY, channel_number, len(piece))
            queued += piece
            queued += _END

    def heartbeat(self) -> None:
        """Queue a heartbeat frame."""
        self.queued += b"\x08\x00\x00\x00\x00\x00\x00\xce"

    def _check_fits(self, payload: bytes, what: str, head: int = 0) -> None:
        if len(payload) + head + FRAME_OVERHEAD > self.frame_max and self.frame_max:
            raise EncodeError(
                f"{what} takes a frame of {len(payload) + head + FRAME_OVERHEAD} octets; the peers"
                f" have agreed on at most {self.frame_max} (frame_max)"
            )
