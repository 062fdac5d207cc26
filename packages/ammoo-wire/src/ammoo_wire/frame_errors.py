"""The errors for frames that are broken or out of place: RabbitMQ's words, and plain ones.

Each has two texts: RabbitMQ's for the peer, which may hold Erlang terms, and plain
English for the reader at our end. Nothing here decides whether a frame is wrong.
"""

from typing import Final

from .constants import FRAME_END, FRAME_HEAD_SIZE, FRAME_OVERHEAD, FrameType
from .exceptions import (
    NO_METHOD,
    FrameError,
    FramingLost,
    InternalError,
    ProtocolError,
    UnexpectedFrame,
    show_octets,
)
from .method_codecs import Method

__all__ = [
    "bad_end",
    "kind",
    "on_channel_zero",
    "out_of_place",
    "too_large",
    "unexpected_on_channel",
    "unknown_frame",
]

_MOST_KEPT: Final = 64  # octets of a broken frame that its error keeps
_KINDS: Final = {
    int(FrameType.METHOD): "a method frame",
    int(FrameType.HEADER): "a content header frame",
    int(FrameType.BODY): "a content body frame",
    int(FrameType.HEARTBEAT): "a heartbeat",
}


def _snippet(frame_type: int, octets: bytes | bytearray) -> str:
    which = "all" if len(octets) <= 16 else "first 16"
    return f"type {frame_type}, {which} octets = {show_octets(octets[:16])}"


def kind(frame_type: int) -> str:
    """Return the name of this type of frame, with its article."""
    return _KINDS.get(frame_type, f"a frame of type {frame_type}")


def too_large(
    frame_type: int, channel_number: int, size: int, largest: int, octets: bytes | bytearray
) -> FramingLost:
    """Return the error for a frame whose head announces more octets than `largest` allows."""
    return FramingLost(
        f"{_snippet(frame_type, b'')}: {{frame_too_large,{size},{largest - FRAME_OVERHEAD}}}",
        NO_METHOD,
        f"{kind(frame_type)} on channel {channel_number} announces {size} octets of payload;"
        f" frame_max {largest} allows {largest - FRAME_OVERHEAD}",
        bytes(octets[:_MOST_KEPT]),
    )


def bad_end(frame_type: int, channel_number: int, octets: bytes | bytearray) -> FramingLost:
    """Return the error for a frame that does not end with the octet 0xCE."""
    payload, end = octets[FRAME_HEAD_SIZE:-1], octets[-1]
    return FramingLost(
        f"{_snippet(frame_type, payload)}: {{invalid_frame_end_marker,{end}}}",
        NO_METHOD,
        f"{kind(frame_type)} on channel {channel_number} with {len(payload)} octets of payload"
        f" ends with the octet 0x{end:02x}; expected 0x{FRAME_END:02x}",
        bytes(octets[:_MOST_KEPT]),
    )


def unknown_frame(
    frame_type: int, channel_number: int, payload: bytes | bytearray, why: str
) -> FrameError:
    """Return the error for a frame that AMQP does not have; `why` completes the sentence."""
    return FrameError(
        f"{_snippet(frame_type, payload)}: unknown_frame",
        NO_METHOD,
        f"{kind(frame_type)} on channel {channel_number} {why}",
    )


def unexpected_on_channel(
    frame_type: int, channel_number: int, payload: bytes | bytearray, why: str
) -> UnexpectedFrame:
    """Return the error for a frame that may not come on its channel; `why` completes the sentence."""
    return UnexpectedFrame(
        _snippet(frame_type, payload),
        NO_METHOD,
        f"{kind(frame_type)} on channel {channel_number} {why}",
    )


def on_channel_zero(error: ProtocolError, method: Method) -> ProtocolError:
    """Return the error for parameters that cannot be read, in the words of RabbitMQ's reader.

    It fails to handle all but a string that is not UTF-8; there it names the method, which
    channels do not (and where the codec names the method, the fault was not a string).
    """
    if isinstance(error, FrameError) and not error.class_id:
        return FrameError(error.text, method.id, f"{method.name}: {error.explanation}")
    return InternalError(error.text, NO_METHOD, error.explanation)


def out_of_place(
    method: Method, remaining: int | None, channel_number: int, got: str
) -> UnexpectedFrame:
    """Return the error for a frame that is not the one which the content needs next."""
    if remaining is None:
        return UnexpectedFrame(
            f"expected content header for class {method.class_id}, "
            "got non content header frame instead",
            method.id,
            f"expected the content header of {method.name} on channel {channel_number}, {got}",
        )
    if remaining < 0:
        explanation = (
            f"the body of {method.name} on channel {channel_number} is longer than its content"
            f" header announced, by {-remaining} octets"
        )
    else:
        explanation = (
            f"expected {remaining} more octets of the body of {method.name} on channel"
            f" {channel_number}, {got}"
        )
    return UnexpectedFrame(
        "expected content body, got non content body frame instead", method.id, explanation
    )
