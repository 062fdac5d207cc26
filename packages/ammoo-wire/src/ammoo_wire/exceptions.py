"""Exceptions: for the peer's faults (`ProtocolError`) and for our own caller's (`EncodeError`).

    AMQPError
    ├── EncodeError             a value that cannot go on the wire; nothing was queued
    └── ProtocolError           the peer broke the rules; has the code and the text to answer
        ├── FrameError          501
        │   └── FramingLost     501; where the next frame begins cannot be known
        │       └── ForeignProtocol  501; it never was AMQP 0-9-1
        ├── WireSyntaxError     502
        ├── CommandInvalid      503
        ├── ChannelError        504
        ├── UnexpectedFrame     505
        └── InternalError       541
            └── UnreadableField 541; RabbitMQ's reader cannot parse it

The data are attributes; `reply_text` makes the sentence that travels in
``connection.close`` or ``channel.close``, in the words RabbitMQ uses.
"""

from .constants import ReplyCode

__all__ = [
    "AMQPError",
    "ChannelError",
    "CommandInvalid",
    "EncodeError",
    "ForeignProtocol",
    "FrameError",
    "FramingLost",
    "InternalError",
    "ProtocolError",
    "UnexpectedFrame",
    "UnreadableField",
    "WireSyntaxError",
    "shorten",
    "show",
    "show_octets",
]

NO_METHOD = (0, 0)
_LONGEST_SHOWN = 300  # characters of a value in an error's text


class AMQPError(Exception):
    """The base of all exceptions of this package.

    ::

        try:
            encode_table({"ratio": float("nan")})
        except AMQPError as error:
            print(error)
    """


class EncodeError(AMQPError, ValueError):
    """A value cannot be put on the wire.

    The text names the value and what was expected. The error is raised before
    anything is queued for sending.
    """


class ProtocolError(AMQPError):
    """The peer broke the protocol, or asked for something that it is refused.

    ::

        error = ProtocolError(ReplyCode.NOT_FOUND, "no queue 'orders' in vhost '/'")
        assert error.reply_text == "NOT_FOUND - no queue 'orders' in vhost '/'"
        assert not error.is_hard

    ``str(error)`` is the explanation, in plain English. `reply_text` is what
    travels to the peer, in RabbitMQ's words, which may hold Erlang terms.

    Args:
        reply_code: The code to answer the peer with.
        text: What happened, in RabbitMQ's words, without the name of the code in front.
        method: Class and method id of the method at fault, (0, 0) if there is none.
        explanation: What happened, in plain English; empty if `text` is plain English already.

    Attributes:
        reply_code: As passed.
        text: As passed.
        class_id: Class id of the method at fault.
        method_id: Method id of the method at fault.
        explanation: As passed, or `text`.
    """

    def __init__(
        self,
        reply_code: ReplyCode,
        text: str,
        method: tuple[int, int] = NO_METHOD,
        explanation: str = "",
    ) -> None:
        # `args` stay what each class was called with: copying and pickling call it with them again.
        self.reply_code: ReplyCode = ReplyCode(reply_code)
        self.text = text
        self.class_id: int = method[0]
        self.method_id: int = method[1]
        self.explanation: str = explanation or text

    @property
    def reply_text(self) -> str:
        """The text for a close method: at most 255 octets."""
        return shorten(f"{self.reply_code.name} - {self.text}")

    @property
    def is_hard(self) -> bool:
        """Whether the error ends the connection; a soft one ends the channel only."""
        return self.reply_code.is_hard

    def __str__(self) -> str:
        return f"{self.reply_code.name} - {self.explanation}"


class FrameError(ProtocolError):
    """The octets do not make a frame (501)."""

    def __init__(
        self, text: str, method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.FRAME_ERROR, text, method, explanation)


class FramingLost(FrameError):
    """Where a frame should end there is none, so no later frame can be found (501).

    Args:
        text: As in `ProtocolError`.
        method: As in `ProtocolError`.
        explanation: As in `ProtocolError`.
        octets: The octets of the frame that were received, its head included; at most 64.

    Attributes:
        octets: As passed. They show which protocol a peer speaks that does not speak AMQP.
    """

    def __init__(
        self,
        text: str,
        method: tuple[int, int] = NO_METHOD,
        explanation: str = "",
        octets: bytes = b"",
    ) -> None:
        super().__init__(text, method, explanation)
        self.octets = octets


class ForeignProtocol(FramingLost):
    """The server's first octets are not AMQP 0-9-1 (501).

    Attributes:
        octets: The server's first octets, at most 7.
    """

    def __init__(self, octets: bytes) -> None:
        super().__init__(
            f"the first octets are not AMQP 0-9-1: {show_octets(octets)}",
            NO_METHOD,
            f"the server's first octets are not AMQP 0-9-1: {octets!r}",
            octets,
        )


class WireSyntaxError(ProtocolError):
    """A field holds a value that its type does not allow (502)."""

    def __init__(
        self, text: str, method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.SYNTAX_ERROR, text, method, explanation)


class CommandInvalid(ProtocolError):
    """The method is not allowed from this peer, on this channel or in this state (503)."""

    def __init__(
        self, text: str, method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.COMMAND_INVALID, text, method, explanation)


class ChannelError(ProtocolError):
    """The method cannot be sent on this channel (504)."""

    def __init__(
        self, text: str, method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.CHANNEL_ERROR, text, method, explanation)


class UnexpectedFrame(ProtocolError):
    """A frame that is well formed came where it has no place (505)."""

    def __init__(
        self, text: str, method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.UNEXPECTED_FRAME, text, method, explanation)


class InternalError(ProtocolError):
    """The peer sent data that RabbitMQ itself fails to handle (541)."""

    def __init__(
        self, text: str = "", method: tuple[int, int] = NO_METHOD, explanation: str = ""
    ) -> None:
        super().__init__(ReplyCode.INTERNAL_ERROR, text, method, explanation)

    @property
    def reply_text(self) -> str:
        """The name of the code alone: RabbitMQ tells the peer nothing more."""
        return self.reply_code.name


class UnreadableField(InternalError):
    """RabbitMQ cannot parse a value in a field table (541).

    If the table is in a method, RabbitMQ closes the socket without an answer; if it is in a
    content header, RabbitMQ answers 541.
    """


def shorten(text: str) -> str:
    """Cut a reply text to the 255 octets of a short string, as RabbitMQ does: with three dots.

    Characters that cannot be encoded as UTF-8 become question marks: a text may quote the peer's header.
    """
    octets = text.encode(errors="replace")
    if len(octets) <= 255:
        return octets.decode()
    return octets[:252].decode(errors="ignore") + "..."


def show(value: object) -> str:
    """Return the caller's value as an error's text shows it, cut short if it is long."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):
        # Python does not print an integer of more than 4300 digits, and no deeply nested value.
        return f"a value of type {type(value).__name__} too large to print"
    return shown if len(shown) <= _LONGEST_SHOWN else f"{shown[: _LONGEST_SHOWN - 1]}…"


def show_octets(octets: bytes | bytearray) -> str:
    """Return octets as RabbitMQ's reply texts show them: ``<<"text">>``, or ``<<0,60,206>>``."""
    if octets and all(32 <= octet < 127 for octet in octets):
        text = octets.decode().replace("\\", r"\\").replace('"', r"\"")
        return f'<<"{text}">>'
    return f"<<{','.join(map(str, octets))}>>"
