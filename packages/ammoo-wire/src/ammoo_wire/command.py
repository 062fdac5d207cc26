"""The command: a method together with its content, if it has any.

The word is RabbitMQ's. On the wire a command is a method frame, and for some
methods a content header frame and body frames behind it (section 2.3.5);
`incoming_frames` and `outgoing_frames` know these.
"""

from .exceptions import EncodeError
from .light_named_tuple import LightNamedTuple
from .method_codecs import Parameters, method_of

__all__ = ["Command", "OversizedContent", "encode_method"]


Command = tuple[int, Parameters, bytes | None, bytearray | None]
"""A method, and its content if it has any: channel number, parameters, properties and body.

The properties are as in the content header, see `decode_properties`; they and the body are
None without content. It is a plain tuple because receivers take it apart at once: a class with
names for the four took 0.14 µs more, of the 1.0 that receiving a message takes. `ReadCommand`
has names.
"""


class OversizedContent(LightNamedTuple):
    """The parameters in a command whose body is larger than the receiver accepts.

    ::

        reader = CommandReader(max_body_size=4)
        publish = BasicPublishParameters("", "orders")
        (command,) = reader.receive_data(encode_command(1, publish, None, b"an order"))
        assert command.parameters == OversizedContent(publish, body_size=8, limit=4)

    The command has neither properties nor body. The octets of the body are
    dropped as they arrive.
    """

    parameters: Parameters
    body_size: int
    """The size of the body, as announced, in octets."""
    limit: int
    """The largest body that the receiver accepts, in octets."""


def encode_method(parameters: Parameters) -> bytes:
    """Encode a method: the payload of a method frame.

    ::

        encode_method(QueueDeclareParameters("orders", durable=True))

    Args:
        parameters: The method's parameters.

    Returns:
        Class id, method id and the parameters (section 4.2.4).

    Raises:
        EncodeError: A parameter cannot be encoded, which the text names; or these are no
            method's parameters.
    """
    method = method_of(parameters)
    try:
        return method.encode(*parameters)
    except TypeError:
        raise EncodeError(
            f"{method.name}: the parameters are a class or lack a field; expected an instance of"
            f" {method.parameters.__name__} with all its fields"
        ) from None
