"""The command: a method together with its content, if it has any.

It is what one peer tells the other, in RabbitMQ's word for it. On the wire it is
a method frame, and for some methods a content header frame and body frames
behind it (section 2.3.5); that is the business of `assembler` and `writer`.
"""

from .codec import Parameters, method_of
from .light_named_tuple import LightNamedTuple

__all__ = ["Command", "OversizedContent", "encode_method"]


Command = tuple[int, Parameters, bytes | None, bytearray | None]
"""A method, and its content if it has any: channel number, parameters, properties and body.

The properties are as in the content header, see `decode_properties`; they and the body are
None without content. A plain tuple, for it is made only to be taken apart: a class with names
for the four took 0.14 µs more, of the 1.0 that receiving a message takes.
"""


class OversizedContent(LightNamedTuple):
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
