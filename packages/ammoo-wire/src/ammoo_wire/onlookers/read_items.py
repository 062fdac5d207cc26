"""The items that the readers return: frames, protocol headers, commands, and broken frames.

Each of these has an ``offset``, a ``channel_number`` and a ``name``, prints as a line
of text (`describe`), and turns into values for JSON (`to_json`).
"""

from typing import Any, Final, NamedTuple

from ..command import OversizedContent
from ..constants import FRAME_HEAD_SIZE, FrameType
from ..exceptions import ProtocolError
from ..frame_encoder import encode_frame
from ..frames.header import BasicHeaderProperties, decode_properties
from ..method_codecs import Method, Parameters, method_of, method_with_id
from .description import (
    describe_body,
    describe_channel,
    describe_parameters,
    describe_properties,
    json_of_parameters,
    json_of_properties,
    json_value,
)

__all__ = ["BrokenFrame", "Frame", "ProtocolHeader", "ReadCommand"]

_METHOD: Final = int(FrameType.METHOD)
_HEADER: Final = int(FrameType.HEADER)
_BODY: Final = int(FrameType.BODY)
_HEARTBEAT: Final = int(FrameType.HEARTBEAT)
_NAMES: Final = {
    _METHOD: "method",
    _HEADER: "content header",
    _BODY: "content body",
    _HEARTBEAT: "heartbeat",
}
_MOST_SHOWN_WITH_SECRETS: Final = 16
_MOST_SHOWN: Final = FRAME_HEAD_SIZE  # octets of a broken frame, whose payload may hold a password


class Frame(NamedTuple):
    """A frame, as it was read: `FrameReader` returns them.

    ::

        (frame,) = FrameReader().receive_data(encode_heartbeat())
        assert frame == Frame(FrameType.HEARTBEAT, channel_number=0, payload=b"")
        assert bytes(frame) == encode_heartbeat()

    ``bytes(frame)`` are its octets, the same as were read.
    """

    type: int
    """1 method, 2 content header, 3 content body, 8 heartbeat (`FrameType`), or any other octet."""
    channel_number: int
    payload: bytes
    offset: int = 0
    """Where the frame began in the octets that were read, counted from 0."""

    @property
    def method(self) -> Method | None:
        """The method of a method frame; None for other frames and for unknown methods."""
        is_method = self.type == _METHOD and len(self.payload) >= 4
        return method_with_id(int.from_bytes(self.payload[:4])) if is_method else None

    @property
    def name(self) -> str:
        """The method's dotted name, or the kind of frame: ``"basic.publish"``, ``"heartbeat"``."""
        method = self.method
        return method.name if method else _NAMES.get(self.type, f"frame of type {self.type}")

    @property
    def parameters(self) -> Parameters | None:
        """The parameters of a method frame; None for other frames and for unknown methods.

        Raises:
            ProtocolError: They cannot be decoded.
        """
        method = self.method
        if method is None:
            return None
        parameters: Parameters = method.decode(self.payload, 4, len(self.payload))
        return parameters

    def __bytes__(self) -> bytes:
        return encode_frame(self.type, self.channel_number, self.payload)

    def describe(self, *, secrets: bool = False) -> str:
        """Return a line of text that says what the frame is.

        Args:
            secrets: Without effect: this shows no parameters.
        """
        size = "" if self.type == _HEARTBEAT else f" ({len(self.payload)} octets)"
        return f"{describe_channel(self.channel_number)}{self.name}{size}"

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the frame as values that the module `json` writes, without its payload.

        Args:
            secrets: Without effect: this shows no parameters.
        """
        return {**_json_head(self), "size": len(self.payload)}

    def __str__(self) -> str:
        return self.describe()


class ProtocolHeader(NamedTuple):
    """The eight octets with which a client begins, or a server refuses (section 4.2.2).

    ::

        (header,) = FrameReader().receive_data(PROTOCOL_HEADER)
        assert header.version == (0, 9, 1)
    """

    octets: bytes
    offset: int = 0
    """Where they began in the octets that were read."""

    @property
    def channel_number(self) -> int:
        """Always 0."""
        return 0

    @property
    def name(self) -> str:
        """Always ``"protocol header"``."""
        return "protocol header"

    @property
    def version(self) -> tuple[int, ...]:
        """The version asked for: (0, 9, 1), unless the peer speaks another AMQP."""
        is_before_0_9_1 = self.octets[4] == 1  # AMQP 0-8 and 0-9 have two octets more in front
        return tuple(self.octets[6:] if is_before_0_9_1 else self.octets[5:])

    def __bytes__(self) -> bytes:
        return self.octets

    def describe(self, *, secrets: bool = False) -> str:
        """Return a line of text with the version.

        Args:
            secrets: Without effect: this shows no parameters.
        """
        return f"protocol header {'-'.join(map(str, self.version))}"

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the header as values that the module `json` writes.

        Args:
            secrets: Without effect: this shows no parameters.
        """
        return {**_json_head(self), "version": ".".join(map(str, self.version))}

    def __str__(self) -> str:
        return self.describe()


class BrokenFrame(NamedTuple):
    """Octets that are not a frame, or a frame that is not allowed at this place.

    ::

        (broken,) = FrameReader().receive_data(encode_frame(FrameType.BODY, 1, b"an order", end=0))
        assert broken.name == "broken frame"
        print(broken.offset, broken.error)
    """

    octets: bytes
    """The octets that were skipped; at most 64 if they are not a frame."""
    offset: int
    """Where they began in the octets that were read."""
    error: ProtocolError
    """What is wrong; ``str(error)`` is a sentence."""

    @property
    def channel_number(self) -> int:
        """The channel number in the frame's head, or 0 if it is cut short."""
        return int.from_bytes(self.octets[1:3])

    @property
    def name(self) -> str:
        """Always ``"broken frame"``."""
        return "broken frame"

    def __bytes__(self) -> bytes:
        return self.octets

    def describe(self, *, secrets: bool = False) -> str:
        """Return a line of text with the error and the octets of the frame's head.

        Args:
            secrets: Whether to show some octets of the payload, too, which may hold a password.
        """
        shown = self.octets[: _MOST_SHOWN_WITH_SECRETS if secrets else _MOST_SHOWN].hex(" ")
        return f"broken frame: {self.error}" + (f" [{shown}]" if shown else "")

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the error and the octets as values that the module `json` writes.

        Args:
            secrets: Whether to return all octets, which may hold a password. False, the default, for
                those of the frame's head, and how many there are.
        """
        octets: dict[str, Any] = {"hex": self.octets.hex()}
        if not secrets:
            octets = {"hex": self.octets[:_MOST_SHOWN].hex(), "size": len(self.octets)}
        return {**_json_head(self), "error": str(self.error), "octets": octets}

    def __str__(self) -> str:
        return self.describe()


class ReadCommand(NamedTuple):
    """A method with its content, if it has any, as it was read: `CommandReader` returns them.

    ::

        publish = BasicPublishParameters("", "orders")
        (command,) = CommandReader().receive_data(encode_command(1, publish, None, b"an order"))
        assert command.name == "basic.publish"
        assert command.body == b"an order"

    The first four are those of a `Command`.
    """

    channel_number: int
    parameters: Parameters
    """For example a `BasicPublishParameters`; an `OversizedContent` for too large a body."""
    encoded_properties: bytes | None
    """The encoded properties of the content header; None without content."""
    body: bytes | bytearray | None
    """None without content."""
    offset: int = 0
    """Where its first frame began in the octets that were read."""

    @property
    def method(self) -> Method:
        """The method, with its numbers and its codec."""
        parameters = self.parameters
        if isinstance(parameters, OversizedContent):
            parameters = parameters.parameters
        return method_of(parameters)

    @property
    def name(self) -> str:
        """The method's dotted name: ``"basic.publish"``."""
        return self.method.name

    @property
    def properties(self) -> BasicHeaderProperties | None:
        """The message's properties, decoded; None without content.

        Raises:
            ProtocolError: They cannot be decoded.
        """
        encoded = self.encoded_properties
        return None if encoded is None else decode_properties(encoded)

    def describe(self, *, secrets: bool = False) -> str:
        """Return a line of text: the method, its parameters, properties and body.

        Args:
            secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
        """
        parameters, words = self.parameters, [self.name]
        if isinstance(parameters, OversizedContent):
            words += describe_parameters(parameters.parameters, secrets=secrets)
            words.append(f"body of {parameters.body_size} octets, too large to keep")
        else:
            words += describe_parameters(parameters, secrets=secrets)
        if self.encoded_properties is not None:
            words.append(describe_properties(self.encoded_properties))
        if self.body is not None:
            words.append(describe_body(self.body))
        return describe_channel(self.channel_number) + " ".join(filter(None, words))

    def to_json(self, *, secrets: bool = False) -> dict[str, Any]:
        """Return the command as values that the module `json` writes.

        Octets are text if they are UTF-8, and otherwise an object ``{"hex": "…"}``; timestamps
        are strings in the form of ISO 8601; decimals are strings.

        Args:
            secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
        """
        parameters, made = self.parameters, _json_head(self)
        if isinstance(parameters, OversizedContent):
            made["body_size"] = parameters.body_size
            parameters = parameters.parameters
        made["parameters"] = json_of_parameters(parameters, secrets=secrets)
        if self.encoded_properties is not None:
            made |= json_of_properties(self.encoded_properties)
        if self.body is not None:
            made["body_size"] = len(self.body)
            made["body"] = json_value(bytes(self.body))
        return made

    def __str__(self) -> str:
        return self.describe()


def _json_head(item: "Frame | ProtocolHeader | BrokenFrame | ReadCommand") -> dict[str, Any]:
    return {"name": item.name, "channel": item.channel_number, "offset": item.offset}
