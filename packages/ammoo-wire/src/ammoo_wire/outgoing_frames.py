"""Octets from commands: frames are written here, and kept until they are taken."""

from struct import Struct
from struct import error as StructError
from typing import Final

from .constants import FRAME_END, FRAME_OVERHEAD, FrameType
from .exceptions import EncodeError, show
from .fields import as_octets, check_size
from .frames.header import NO_PROPERTIES

__all__ = ["CommandWriter", "ContentHead", "DiscardingWriter"]

_FRAME_HEAD = Struct(">BHI")
_HEADER_HEAD = Struct(">BHI2sHQ")
_BODY_HEAD = Struct(">BBHI")  # behind the end of the header frame
_PLAIN = Struct(">Q6sI")  # size of the body; no properties, and the body frame's head; its size
_END: Final = bytes((FRAME_END,))
_METHOD: Final = int(FrameType.METHOD)
_HEADER: Final = int(FrameType.HEADER)
_BODY: Final = int(FrameType.BODY)
_SMALL: Final = 4096  # octets of a body
_NO_LIMIT: Final = 0xFFFF_FFFF  # the largest size that the four octets in a frame's head can hold


class ContentHead:
    """An encoded method that is sent with many contents.

    ::

        writer = CommandWriter(frame_max=DEFAULT_FRAME_MAX)
        head = writer.content_head(1, encode_method(BasicPublishParameters("", "orders")))
        writer.content_behind(head, NO_PROPERTIES, b"an order")
        writer.content_behind(head, NO_PROPERTIES, b"another order")

    Made by `CommandWriter.content_head`.
    """

    __slots__ = ("channel_number", "method_frame", "plain", "plain_body")

    def __init__(self, channel_number: int, method_frame: bytes) -> None:
        self.channel_number: int = channel_number
        self.method_frame: bytes = method_frame
        # The octets that follow if there are no properties: before the body's size, and behind it.
        header = _HEADER_HEAD.pack(_HEADER, channel_number, 14, method_frame[7:9], 0, 0)
        self.plain: bytes = method_frame + header[:-8]
        body_head = _BODY_HEAD.pack(FRAME_END, _BODY, channel_number, 0)
        self.plain_body: bytes = NO_PROPERTIES + body_head[:-4]


class CommandWriter:
    """Writes commands as frames, and keeps them until they are taken.

    ::

        writer = CommandWriter(frame_max=DEFAULT_FRAME_MAX)
        writer.method(1, encode_method(QueueDeclareParameters("orders")))
        connection.sendall(writer.take())

    A command is appended whole, in one synchronous stretch: two tasks that write
    to one channel cannot mingle their frames, and need no lock.

    Args:
        frame_max: The largest frame to make, in octets; 0 for no limit.

    Attributes:
        queued: The octets to send.
    """

    __slots__ = ("_frame_max", "_largest", "_small", "queued")

    def __init__(self, *, frame_max: int) -> None:
        self.frame_max = frame_max
        self.queued: bytearray = bytearray()

    @property
    def frame_max(self) -> int:
        """The largest frame to make, in octets; 0 for no limit. May change between two commands."""
        return self._frame_max

    @frame_max.setter
    def frame_max(self, value: int) -> None:
        check_size(value, "frame_max")
        self._frame_max = value
        self._largest = min(value - FRAME_OVERHEAD, _NO_LIMIT) if value else _NO_LIMIT
        self._small = min(_SMALL, self._largest - 12)  # a header with properties of that size fits

    def take(self) -> bytearray:
        """Take and return all that is queued; the caller may keep it."""
        taken, self.queued = self.queued, bytearray()
        return taken

    def method(self, channel_number: int, payload: bytes) -> None:
        """Queue a method frame.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.

        Raises:
            EncodeError: It would be larger than frame_max, or there is no such channel
                number; nothing was queued.
        """
        self.queued += self._method_frame(channel_number, payload)

    def content(
        self,
        channel_number: int,
        payload: bytes,
        properties: bytes,
        body: bytes | bytearray | memoryview,
    ) -> int:
        """Queue a method with its content, the body cut into frames.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.
            properties: The properties, encoded.
            body: The body, of any size.

        Returns:
            The number of octets that are queued now.

        Raises:
            EncodeError: The method or the properties would make a frame that is larger
                than frame_max, or there is no such channel number; nothing was queued.
            TypeError: The body is not made of octets; nothing was queued.
        """
        method_frame = self._method_frame(channel_number, payload)
        return self._content(channel_number, method_frame, properties, body)

    def content_head(self, channel_number: int, payload: bytes) -> ContentHead:
        """Encode a method once, for any number of calls of `content_behind`.

        Args:
            channel_number: The channel's number.
            payload: The method, encoded: ids, then arguments.

        Raises:
            EncodeError: It would be larger than frame_max, or there is no such channel number.
        """
        return ContentHead(channel_number, self._method_frame(channel_number, payload))

    def content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray | memoryview
    ) -> int:
        """Queue a method with its content, in at most half the time that `content` takes.

        Args:
            head: The method, from `content_head`.
            properties: As in `content`.
            body: As in `content`.

        Returns:
            The number of octets that are queued now.

        Raises:
            EncodeError: The properties would make a frame that is larger than frame_max; nothing was
                queued.
        """
        size = len(body)
        if properties is NO_PROPERTIES and 0 < size <= self._small and type(body) is bytes:
            # 0.24 µs; below it is 0.37, and 0.1 for going there.
            queued = self.queued
            queued += b"".join((head.plain, _PLAIN.pack(size, head.plain_body, size), body, _END))
            return len(queued)
        return self._content(head.channel_number, head.method_frame, properties, body)

    def written(self, octets: bytes | bytearray) -> None:
        """Queue frames that another writer has made.

        Args:
            octets: The frames.
        """
        self.queued += octets

    def heartbeat(self) -> None:
        """Queue a heartbeat frame."""
        self.queued += b"\x08\x00\x00\x00\x00\x00\x00\xce"

    def _method_frame(self, channel_number: int, payload: bytes) -> bytes:
        size = len(payload)
        if size > self._largest:
            raise self._misfit("the method with its parameters", size)
        try:
            return _FRAME_HEAD.pack(_METHOD, channel_number, size) + payload + _END
        except StructError:
            raise _no_channel_number(channel_number) from None

    def _content(
        self,
        channel_number: int,
        method_frame: bytes,
        properties: bytes,
        body: bytes | bytearray | memoryview,
    ) -> int:
        if type(body) is not bytes:
            body = as_octets(body)
        size, header_size, largest = len(body), 12 + len(properties), self._largest
        if header_size > largest:
            what = "the content header with the message's properties"
            raise self._misfit(what, header_size)
        class_id = method_frame[7:9]
        header = _HEADER_HEAD.pack(_HEADER, channel_number, header_size, class_id, 0, size)
        queued = self.queued
        if 0 < size <= self._small:
            # One join is faster than six appends by a fifth; a large body it would copy twice.
            head = _BODY_HEAD.pack(FRAME_END, _BODY, channel_number, size)
            queued += b"".join((method_frame, header, properties, head, body, _END))
            return len(queued)
        queued += b"".join((method_frame, header, properties, _END))
        view = memoryview(body)
        for start in range(0, size, largest):
            piece = view[start : start + largest]
            queued += _FRAME_HEAD.pack(_BODY, channel_number, len(piece))
            queued += piece
            queued += _END
        return len(queued)

    def _misfit(self, what: str, size: int) -> EncodeError:
        """Return the error for octets that do not fit into a frame."""
        return EncodeError(
            f"{what} takes a frame of {size + FRAME_OVERHEAD} octets; the peers have agreed on"
            f" at most {self.frame_max} (frame_max)"
        )


class DiscardingWriter(CommandWriter):
    """Replaces the writer after the closing frame, and discards all that is written."""

    __slots__ = ()

    def method(self, channel_number: int, payload: bytes) -> None:
        pass

    def content(
        self,
        channel_number: int,
        payload: bytes,
        properties: bytes,
        body: bytes | bytearray | memoryview,
    ) -> int:
        return 0

    def content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray | memoryview
    ) -> int:
        return 0

    def written(self, octets: bytes | bytearray) -> None:
        pass

    def heartbeat(self) -> None:
        pass


def _no_channel_number(value: object) -> EncodeError:
    return EncodeError(f"channel_number is {show(value)}; expected an integer from 0 to 65535")
