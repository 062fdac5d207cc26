"""The command: a method together with its content, if it has any.

It is what one peer tells the other, in RabbitMQ's word for it. On the wire it is
a method frame, and for some methods a content header frame and body frames
behind it (section 2.3.5); that is the business of `assembler` and `writer`.
"""

from typing import NamedTuple

from .codec import Parameters, method_of

__all__ = ["Command", "OversizedContent", "encode_method"]


class Command(NamedTuple):
    """A method, and its content if it has any."""

    channel_number: int
    parameters: Parameters
    properties: bytes | None
    """As encoded in the content header; see `decode_properties`. None without content."""
    body: bytearray | None
    """None without content."""


class OversizedContent(NamedTuple):
    """Stands in a command for the parameters of a method whose content is too large.

    The command has neither properties nor body. The octets of the body are
    dropped as they arrive.
    """

    parameters: Parameters
    body_size: int
    """As announced, in octets."""
    limit: int
    """What would have been taken, in octets."""


def encode_method(parameters: Parameters) -> bytes:
    """Encode a method with its arguments: what a method frame bears.

    Raises:
        EncodeError: An argument cannot be encoded; the text names it.
    """
    return method_of(parameters).encode(*parameters)
