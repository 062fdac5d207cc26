"""Commands from octets, however these are cut.

The frames of several channels may alternate; `CommandAssembler` keeps exactly
one `_Content` for each channel whose content is not complete. It owns the buffer
that the shell reads into. It does not know what a command means, save that one
on channel 0 may change the rules for what stands behind it.

This is the general path, and the only one that knows what is wrong with a frame;
`whole_contents` takes the common case from it.
"""

from struct import Struct
from typing import Final

from .codec import Method, Parameters, method_with_id
from .command import Command, OversizedContent
from .constants import FRAME_END, FRAME_OVERHEAD, FrameType
from .exceptions import (
    CommandInvalid,
    FrameError,
    FramingLost,
    InternalError,
    ProtocolError,
    UnexpectedFrame,
    show_octets,
)
from .whole_contents import WHOLE_IDS, WholeContents

__all__ = ["MAX_ANNOUNCED_SIZE", "CommandAssembler", "UnknownMethod"]

_FRAME_HEAD = Struct(">BHII")  # type, channel, size; and of a method frame, class and method
_CONTENT_HEADER = Struct(">HHQ")
_METHOD, _HEADER, _BODY, _HEARTBEAT = map(int, FrameType)
MAX_ANNOUNCED_SIZE: Final = 536_870_912
"""The largest body that RabbitMQ lets a content header announce from 4.3 on, in octets."""

_SPARE: Final = 65536  # what a read may find room for, at least, in octets
_NO_LIMIT: Final = 0xFFFF_FFFF  # what the four octets of a frame's size can say
_HEAD_SIZE: Final = 7  # octets of a frame in front of its payload
_SLACK: Final = 4  # octets behind the room, so that a frame's head can be read at its very end


class UnknownMethod(CommandInvalid):
    """A method that AMQP 0-9-1 does not have. RabbitMQ ends such a connection without a word."""


class _Content:
    """The content of a command for as long as it is incomplete."""

    __slots__ = ("body", "method", "parameters", "properties", "remaining")

    def __init__(self, method: Method, parameters: Parameters) -> None:
        self.method = method
        self.parameters = parameters
        self.properties: bytes | None = None
        self.body: bytearray | None = None  # stays None for a content that is dropped
        self.remaining: int | None = (
            None  # octets of the body still to come; None before the header
        )


class CommandAssembler:
    """Makes commands of the octets that arrive, however they are cut.

    Args:
        frame_max: The largest frame to take, in octets; 0 for no limit.
        max_body_size: The largest body to take, in octets.
        checks_body_sizes: Whether a content that announces more than `MAX_ANNOUNCED_SIZE` octets,
            and a body frame longer than what is still to come, are refused at once.

    Attributes:
        frame_max: May be changed between two commands.
        takes_channels: Whether there may be frames on other channels than 0.
        drops_channels: Whether those are dropped unread.
    """

    def __init__(
        self, *, frame_max: int, max_body_size: int, checks_body_sizes: bool = False
    ) -> None:
        self.frame_max = frame_max
        self._checks_body_sizes = checks_body_sizes
        self.takes_channels = False
        self.drops_channels = False
        self._max_body_size = max_body_size
        self._buffer = bytearray(_SPARE + _SLACK)
        self._view = memoryview(self._buffer)[:_SPARE]
        self._start = 0  # of what is not assembled yet
        self._stop = 0  # of what has been read
        self._contents: dict[int, _Content] = {}
        self._whole_contents = WholeContents()

    # --- the buffer ---

    def get_buffer(self) -> memoryview:
        """Give room to read into; never none at all."""
        if self._start == self._stop:
            self._start = self._stop = 0
            return self._view
        if len(self._view) - self._stop < _SPARE // 2:
            self._make_room()
        return self._view[self._stop :]

    def buffer_updated(self, count: int) -> None:
        """Take note that `count` octets were read into the buffer."""
        self._stop += count

    def take(self, count: int) -> bytes | None:
        """Take octets that are no frame off the front, or None while there are too few."""
        if self._stop - self._start < count:
            return None
        self._start += count
        return bytes(self._buffer[self._start - count : self._start])

    def peek(self, count: int) -> bytes:
        """Return the next octets, at most `count`, and leave them where they are."""
        return bytes(self._buffer[self._start : min(self._stop, self._start + count)])

    def discard(self) -> None:
        """Drop what was read and not assembled."""
        self._start = self._stop = 0

    def drop_channels(self) -> None:
        """Drop what comes on other channels than 0 from now on, and contents under way."""
        self.drops_channels = True
        self._contents.clear()

    def release(self) -> None:
        """Give up what was received and is incomplete, and the room for it: no more will come."""
        self._contents.clear()
        self._start = self._stop = 0
        if len(self._view) > _SPARE:
            self._buffer = bytearray(_SPARE + _SLACK)
            self._view = memoryview(self._buffer)[:_SPARE]

    def _make_room(self) -> None:
        """Move an incomplete frame to the front; into a buffer twice as large if need be.

        A frame is as large as the peer says only once that much of it has come:
        memory follows what was received, never what was announced.
        """
        unread = self._view[self._start : self._stop]
        size = len(self._view)
        if len(unread) > size // 2:
            self._buffer = bytearray(2 * size + _SLACK)
            self._view = memoryview(self._buffer)[: 2 * size]
        self._view[: len(unread)] = unread  # which may overlap
        self._start, self._stop = 0, len(unread)

    # --- frames ---

    def assemble(self, commands: list[Command]) -> bool:
        """Append the commands that are complete.

        It stops behind a method on channel 0, for that may change the rules.

        Returns:
            Whether the last command is on channel 0, and more may be waiting behind it.

        Raises:
            ProtocolError: The octets are no frame, or not one that may come here.
                What was complete before it has been appended.
        """
        buffer, start, stop = self._buffer, self._start, self._stop
        # RabbitMQ (3.10, 4.0) compares the payload alone with frame_max, eight octets too lenient.
        largest = self.frame_max or _NO_LIMIT
        try:
            while stop - start >= _HEAD_SIZE:
                frame_type, channel_number, size, ids = _FRAME_HEAD.unpack_from(buffer, start)
                payload = start + 7
                end = payload + size
                if size > largest:
                    raise FramingLost(
                        f"{_snippet(frame_type, b'')}:"
                        f" {{frame_too_large,{size},{largest - FRAME_OVERHEAD}}}"
                    )
                if end >= stop:
                    break
                if buffer[end] != FRAME_END:
                    raise FramingLost(
                        f"{_snippet(frame_type, buffer[payload:end])}:"
                        f" {{invalid_frame_end_marker,{buffer[end]}}}"
                    )
                if channel_number and self.drops_channels:
                    start = end + 1
                    continue
                is_idle = self.takes_channels and not self._contents
                if is_idle and frame_type == _METHOD and ids in WHOLE_IDS:
                    behind = self._whole_contents.take(
                        ids, buffer, start, stop, min(largest, self._max_body_size), commands
                    )
                    if behind != start:
                        start = behind
                        continue
                start = end + 1
                if frame_type == _METHOD:
                    self._method(commands, channel_number, ids, payload, end)
                    if channel_number == 0:
                        return True
                elif frame_type == _BODY:
                    self._body(commands, channel_number, payload, end)
                elif frame_type == _HEADER:
                    self._header(commands, channel_number, payload, end)
                elif frame_type != _HEARTBEAT or size:
                    raise _frame_error(frame_type, buffer[payload:end], "unknown_frame")
                elif channel_number:
                    raise _unexpected_on_channel(frame_type, b"")
            return False
        finally:
            self._start = start

    def _method(
        self, commands: list[Command], channel_number: int, ids: int, payload: int, end: int
    ) -> None:
        buffer = self._buffer
        if end - payload < 4:
            raise _frame_error(_METHOD, buffer[payload:end], "unknown_frame")
        if channel_number and not self.takes_channels:
            raise _unexpected_on_channel(_METHOD, buffer[payload:end])
        content = self._contents.get(channel_number)
        if content is not None:
            raise _out_of_place(content)
        method = method_with_id(ids)
        if method is None:
            raise UnknownMethod(
                f"unknown method {ids & 0xFFFF} of class {ids >> 16}", (ids >> 16, ids & 0xFFFF)
            )
        try:
            parameters = method.decode(buffer, payload + 4, end)
        except ProtocolError as error:
            if channel_number:
                raise
            raise _on_channel_zero(error, method) from error
        if method.has_content and channel_number:
            self._contents[channel_number] = _Content(method, parameters)
        else:
            commands.append((channel_number, parameters, None, None))

    def _header(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        buffer = self._buffer
        content = self._content_of(channel_number, _HEADER, payload, end)
        if content.remaining is not None:
            raise _out_of_place(content)
        if end - payload < _CONTENT_HEADER.size + 2:
            raise _frame_error(_HEADER, buffer[payload:end], "unknown_frame")
        class_id, weight, size = _CONTENT_HEADER.unpack_from(buffer, payload)
        if class_id != content.method.class_id or weight:
            raise UnexpectedFrame(
                f"expected content header for class {content.method.class_id}, "
                f"got one for class {class_id} instead",
                content.method.id,
            )
        if self._checks_body_sizes and size > MAX_ANNOUNCED_SIZE:
            raise FrameError(
                f"content body size {size} exceeds maximum allowed size {MAX_ANNOUNCED_SIZE}",
                content.method.id,
            )
        content.remaining = size
        if size > self._max_body_size:
            oversized = OversizedContent(content.parameters, size, self._max_body_size)
            commands.append((channel_number, oversized, None, None))
            return
        content.properties = bytes(self._view[payload + 12 : end])
        content.body = bytearray()
        if size == 0:
            self._complete(commands, channel_number, content)

    def _body(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        content = self._content_of(channel_number, _BODY, payload, end)
        if content.remaining is None:
            raise _out_of_place(content)
        content.remaining -= end - payload
        if content.remaining < 0:
            if self._checks_body_sizes:
                raise FrameError(
                    "content body frame exceeds remaining content size", content.method.id
                )
            # RabbitMQ (3.10, 4.0) lets that pass: such a content never completes, and whatever
            # comes next on the channel is out of place. What is too much is not kept.
            content.body = None
        if content.body is None:
            if content.remaining == 0:
                del self._contents[channel_number]
            return
        if content.body:
            content.body += self._view[payload:end]
        else:
            content.body = self._buffer[payload:end]
        if content.remaining == 0:
            self._complete(commands, channel_number, content)

    def _content_of(self, channel_number: int, frame_type: int, payload: int, end: int) -> _Content:
        content = self._contents.get(channel_number)
        if content is not None:
            return content
        if channel_number == 0:
            raise _unexpected_on_channel(frame_type, self._buffer[payload:end])
        raise UnexpectedFrame("expected method frame, got non method frame instead")

    def _complete(self, commands: list[Command], channel_number: int, content: _Content) -> None:
        del self._contents[channel_number]
        commands.append((channel_number, content.parameters, content.properties, content.body))


def _snippet(frame_type: int, octets: bytes | bytearray) -> str:
    which = "all" if len(octets) <= 16 else "first 16"
    return f"type {frame_type}, {which} octets = {show_octets(octets[:16])}"


def _on_channel_zero(error: ProtocolError, method: Method) -> ProtocolError:
    """Make the error for arguments that cannot be read, in the words of RabbitMQ's reader.

    It stumbles over all but a string that is not UTF-8; there it names the method, which channels
    do not (and where the codec names it, it was not for a string).
    """
    if isinstance(error, FrameError) and not error.class_id:
        return FrameError(error.text, method.id)
    return InternalError(error.text)


def _frame_error(frame_type: int, octets: bytes | bytearray, why: str) -> FrameError:
    return FrameError(f"{_snippet(frame_type, octets)}: {why}")


def _unexpected_on_channel(frame_type: int, octets: bytes | bytearray) -> UnexpectedFrame:
    return UnexpectedFrame(_snippet(frame_type, octets))


def _out_of_place(content: _Content) -> UnexpectedFrame:
    """Make the error for a frame that is not the one which the content needs next."""
    if content.remaining is None:
        return UnexpectedFrame(
            f"expected content header for class {content.method.class_id}, "
            "got non content header frame instead",
            content.method.id,
        )
    return UnexpectedFrame(
        "expected content body, got non content body frame instead", content.method.id
    )
