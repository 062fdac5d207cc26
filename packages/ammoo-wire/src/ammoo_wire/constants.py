"""The numbers of AMQP 0-9-1: frame types, reply codes, limits and the protocol header.

Each number stands once, under its name in the specification or in RabbitMQ.
"""

from enum import IntEnum
from typing import Final

__all__ = [
    "DEFAULT_CHANNEL_MAX",
    "DEFAULT_FRAME_MAX",
    "DEFAULT_MAX_BODY_SIZE",
    "FRAME_END",
    "FRAME_HEAD_SIZE",
    "FRAME_MIN_SIZE",
    "FRAME_OVERHEAD",
    "PROTOCOL_HEADER",
    "FrameType",
    "ReplyCode",
]

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
"""The first octets that a client writes (section 4.2.2)."""

FRAME_END: Final = 0xCE
"""The octet that closes every frame (section 4.2.3)."""

FRAME_MIN_SIZE: Final = 4096
"""The smallest frame_max that peers may agree on, in octets (section 4.2.3)."""

FRAME_OVERHEAD: Final = 8
"""Octets of a frame that are not payload: type, channel, size and the end octet."""

FRAME_HEAD_SIZE: Final = 7
"""Octets of a frame in front of its payload: type, channel and size."""

DEFAULT_FRAME_MAX: Final = 131072
"""The frame_max that RabbitMQ proposes, in octets."""

DEFAULT_CHANNEL_MAX: Final = 2047
"""The channel_max that RabbitMQ proposes."""

DEFAULT_MAX_BODY_SIZE: Final = 536_870_912
"""The largest message body that any release of RabbitMQ accepts, in octets: 512 MiB."""


class FrameType(IntEnum):
    """The first octet of a frame (section 4.2.3).

    ::

        assert encode_heartbeat()[0] == FrameType.HEARTBEAT
    """

    METHOD = 1
    HEADER = 2
    BODY = 3
    HEARTBEAT = 8


class ReplyCode(IntEnum):
    """Why a channel or a connection was closed, or a message returned (section 1.2).

    ::

        assert ReplyCode(404) is ReplyCode.NOT_FOUND
        assert ReplyCode.FRAME_ERROR.is_hard

    The member names are the words with which RabbitMQ begins its reply texts.
    """

    REPLY_SUCCESS = 200
    CONTENT_TOO_LARGE = 311
    NO_ROUTE = 312
    NO_CONSUMERS = 313
    CONNECTION_FORCED = 320
    INVALID_PATH = 402
    ACCESS_REFUSED = 403
    NOT_FOUND = 404
    RESOURCE_LOCKED = 405
    PRECONDITION_FAILED = 406
    FRAME_ERROR = 501
    SYNTAX_ERROR = 502
    COMMAND_INVALID = 503
    CHANNEL_ERROR = 504
    UNEXPECTED_FRAME = 505
    RESOURCE_ERROR = 506
    NOT_ALLOWED = 530
    NOT_IMPLEMENTED = 540
    INTERNAL_ERROR = 541

    @property
    def is_hard(self) -> bool:
        """Whether the error ends the connection; a soft one ends the channel only."""
        return self in _HARD_ERRORS


_HARD_ERRORS = frozenset(
    {
        ReplyCode.CONNECTION_FORCED,
        ReplyCode.INVALID_PATH,
        ReplyCode.FRAME_ERROR,
        ReplyCode.SYNTAX_ERROR,
        ReplyCode.COMMAND_INVALID,
        ReplyCode.CHANNEL_ERROR,
        ReplyCode.UNEXPECTED_FRAME,
        ReplyCode.RESOURCE_ERROR,
        ReplyCode.NOT_ALLOWED,
        ReplyCode.NOT_IMPLEMENTED,
        ReplyCode.INTERNAL_ERROR,
    }
)
