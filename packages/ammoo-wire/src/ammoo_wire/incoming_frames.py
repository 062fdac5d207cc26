"""Commands from octets that arrive in pieces of any size.

The frames of several channels may alternate; `CommandAssembler` keeps exactly
one `_Content` for each channel whose content is not complete. It owns the buffer
that the shell reads into. It does not know what a command means, except that one
on channel 0 may change the rules for the octets behind it.

This is the general path, and the only one that knows what is wrong with a frame;
`whole_contents` takes the common case from it. The readers for onlookers (`reader`)
are built on it too: they override what is done with each kind of frame.
"""

from struct import Struct
from typing import Final

from .command import Command, OversizedContent
from .constants import FRAME_END, FRAME_HEAD_SIZE, FrameType
from .exceptions import CommandInvalid, FrameError, ProtocolError, UnexpectedFrame
from .fields import check_size
from .frame_errors import (
    bad_end,
    kind,
    on_channel_zero,
    out_of_place,
    too_large,
    unexpected_on_channel,
    unknown_frame,
)
from .method_codecs import Method, Parameters, method_with_id
from .table_decoder import check_readable
from .whole_contents import WHOLE_IDS, WholeContents

__all__ = ["MAX_ANNOUNCED_SIZE", "CommandAssembler", "UnknownMethod"]

_FRAME_HEAD = Struct(">BHII")  # type, channel, size; and of a method frame, class and method
_CONTENT_HEADER = Struct(">HHQ")
_METHOD: Final = int(FrameType.METHOD)
_HEADER: Final = int(FrameType.HEADER)
_BODY: Final = int(FrameType.BODY)
_HEARTBEAT: Final = int(FrameType.HEARTBEAT)
MAX_ANNOUNCED_SIZE: Final = 536_870_912
"""The largest body that RabbitMQ lets a content header announce from 4.3 on, in octets."""

_SPARE: Final = 65536  # the least room for a read, in octets
_NO_LIMIT: Final = 0xFFFF_FFFF  # the largest size that the four octets in a frame's head can hold
_SLACK: Final = 4  # octets behind the room, so that a frame's head can be read at its very end


class UnknownMethod(CommandInvalid):
    """A method that AMQP 0-9-1 does not have. RabbitMQ closes the socket without an answer.

    ::

        (broken,) = CommandReader().receive_data(encode_frame(FrameType.METHOD, 1, bytes(4)))
        assert isinstance(broken.error, UnknownMethod)
    """


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

    def out_of_place(self, channel_number: int, got: str) -> UnexpectedFrame:
        """Return the error for a frame that is not the one which the content needs next."""
        return out_of_place(self.method, self.remaining, channel_number, got)


class CommandAssembler:
    """Assembles commands from the octets that arrive, in pieces of any size.

    Args:
        frame_max: The largest frame to accept, in octets; 0 for no limit.
        max_body_size: The largest body to accept, in octets.
        checks_body_sizes: Whether a content that announces more than `MAX_ANNOUNCED_SIZE` octets,
            and a body frame longer than the rest of its content, are refused at once.

    Attributes:
        frame_max: May be changed between two commands.
        takes_channels: Whether frames may come on other channels than 0.
        drops_channels: Whether frames on other channels than 0 are dropped unread.
        refuses_unreadable: Whether values in methods that RabbitMQ cannot parse are errors.
    """

    def __init__(
        self, *, frame_max: int, max_body_size: int, checks_body_sizes: bool = False
    ) -> None:
        check_size(frame_max, "frame_max")
        check_size(max_body_size, "max_body_size")
        self.frame_max = frame_max
        self._checks_body_sizes = checks_body_sizes
        self.takes_channels: bool = False
        self.drops_channels: bool = False
        self.refuses_unreadable: bool = False
        self._max_body_size = max_body_size
        self._buffer = bytearray(_SPARE + _SLACK)
        self._view = memoryview(self._buffer)[:_SPARE]
        self._start = 0  # of the octets that are not assembled yet
        self._stop = 0  # of the octets that were read
        self._contents: dict[int, _Content] = {}
        self._whole_contents = WholeContents()

    # --- the buffer ---

    def get_buffer(self) -> memoryview:
        """Return room to read into; it is never empty."""
        if self._start == self._stop:
            self._start = self._stop = 0
            return self._view
        if len(self._view) - self._stop < _SPARE // 2:
            self._make_room()
        return self._view[self._stop :]

    def copy_in(self, octets: memoryview) -> int:
        """Copy as many octets as there is room for; return how many those are."""
        room = self.get_buffer()
        count = min(len(room), len(octets))
        room[:count] = octets[:count]
        return count

    def buffer_updated(self, count: int) -> None:
        """Record that `count` octets were read into the buffer."""
        self._stop += count

    def take(self, count: int) -> bytes | None:
        """Take octets that are no frame off the front; return None while there are too few."""
        if self._stop - self._start < count:
            return None
        self._start += count
        return bytes(self._buffer[self._start - count : self._start])

    def peek(self, count: int) -> bytes:
        """Return the next octets, at most `count`, and leave them where they are."""
        return bytes(self._buffer[self._start : min(self._stop, self._start + count)])

    def discard(self) -> None:
        """Drop octets that were read and not assembled."""
        self._start = self._stop = 0

    @property
    def unfinished_size(self) -> int:
        """How many octets have arrived of bodies that are not complete."""
        return sum(len(content.body) for content in self._contents.values() if content.body)

    def drop_channels(self) -> None:
        """Drop incomplete contents, and from now on all frames on other channels than 0."""
        self.drops_channels = True
        self._contents.clear()

    def release(self) -> None:
        """Drop incomplete commands, and the room for them: no more octets will come."""
        self._contents.clear()
        self._start = self._stop = 0
        if len(self._view) > _SPARE:
            self._buffer = bytearray(_SPARE + _SLACK)
            self._view = memoryview(self._buffer)[:_SPARE]

    def _make_room(self) -> None:
        """Move an incomplete frame to the front; into a buffer twice as large if need be.

        The buffer grows with the octets that were received, and never with the size that a peer
        has announced.
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

        It stops behind a method on channel 0, because that may change the rules.

        Returns:
            Whether the last command is on channel 0, and more may be waiting behind it.

        Raises:
            ProtocolError: The octets are no frame, or not one that may come here.
                The complete commands before it have been appended.
        """
        buffer, start, stop = self._buffer, self._start, self._stop
        # RabbitMQ (3.10, 4.0) compares the payload alone with frame_max, eight octets too lenient.
        largest = self.frame_max or _NO_LIMIT
        try:
            while stop - start >= FRAME_HEAD_SIZE:
                frame_type, channel_number, size, ids = _FRAME_HEAD.unpack_from(buffer, start)
                payload = start + 7
                end = payload + size
                if size > largest:
                    raise too_large(frame_type, channel_number, size, largest, buffer[start:stop])
                if end >= stop:
                    break
                if buffer[end] != FRAME_END:
                    raise bad_end(frame_type, channel_number, buffer[start : end + 1])
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
                else:
                    self._other(commands, frame_type, channel_number, payload, end)
            return False
        finally:
            self._start = start

    def _method(
        self, commands: list[Command], channel_number: int, ids: int, payload: int, end: int
    ) -> None:
        buffer = self._buffer
        if end - payload < 4:
            why = f"has {end - payload} octets of payload; class and method id alone take 4"
            raise unknown_frame(_METHOD, channel_number, buffer[payload:end], why)
        if channel_number and not self.takes_channels:
            why = "came before the connection was open; until then only channel 0 is in use"
            raise unexpected_on_channel(_METHOD, channel_number, buffer[payload:end], why)
        content = self._contents.get(channel_number)
        method = method_with_id(ids)
        if content is not None:
            raise content.out_of_place(
                channel_number, f"got {method.name if method else 'an unknown method'}"
            )
        if method is None:
            raise UnknownMethod(
                f"unknown method {ids & 0xFFFF} of class {ids >> 16}", (ids >> 16, ids & 0xFFFF)
            )
        try:
            parameters = method.decode(buffer, payload + 4, end)
            if self.refuses_unreadable and method.has_table:
                check_readable(parameters)
        except ProtocolError as error:
            if channel_number:
                raise
            raise on_channel_zero(error, method) from error
        if method.has_content and channel_number:
            self._contents[channel_number] = _Content(method, parameters)
        else:
            commands.append((channel_number, parameters, None, None))

    def _header(self, commands: list[Command], channel_number: int, payload: int, end: int) -> None:
        buffer = self._buffer
        content = self._content_of(channel_number, _HEADER, payload, end)
        if content.remaining is not None:
            raise content.out_of_place(channel_number, "got another content header")
        if end - payload < _CONTENT_HEADER.size + 2:
            why = f"has {end - payload} octets of payload; without any property it takes 14"
            raise unknown_frame(_HEADER, channel_number, buffer[payload:end], why)
        class_id, weight, size = _CONTENT_HEADER.unpack_from(buffer, payload)
        if class_id != content.method.class_id or weight:
            raise UnexpectedFrame(
                f"expected content header for class {content.method.class_id}, "
                f"got one for class {class_id} instead",
                content.method.id,
                f"the content header behind {content.method.name} on channel {channel_number} has"
                f" class {class_id} and weight {weight}; expected class"
                f" {content.method.class_id} and weight 0",
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
            raise content.out_of_place(channel_number, "got a content body frame")
        content.remaining -= end - payload
        if content.remaining < 0:
            if self._checks_body_sizes:
                raise FrameError(
                    "content body frame exceeds remaining content size", content.method.id
                )
            # RabbitMQ (3.10, 4.0) accepts that: the content never completes, and each later frame on
            # the channel is out of place. The surplus octets are not kept.
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
            why = "has no place there: channel 0 carries methods and heartbeats only"
            raise unexpected_on_channel(frame_type, 0, self._buffer[payload:end], why)
        raise UnexpectedFrame(
            "expected method frame, got non method frame instead",
            explanation=f"{kind(frame_type)} on channel {channel_number} follows no method"
            " that has content",
        )

    def _other(
        self, commands: list[Command], frame_type: int, channel_number: int, payload: int, end: int
    ) -> None:
        """Take a heartbeat, or refuse a frame of an unknown type."""
        octets = self._buffer[payload:end]
        if frame_type != _HEARTBEAT:
            why = "has a type that AMQP does not have; 1, 2, 3 and 8 exist"
            raise unknown_frame(frame_type, channel_number, octets, why)
        if octets:
            why = f"has {len(octets)} octets of payload; expected none"
            raise unknown_frame(frame_type, channel_number, octets, why)
        if channel_number:
            why = "has no place there: heartbeats belong to channel 0"
            raise unexpected_on_channel(frame_type, channel_number, octets, why)

    def _complete(self, commands: list[Command], channel_number: int, content: _Content) -> None:
        del self._contents[channel_number]
        commands.append((channel_number, content.parameters, content.properties, content.body))
