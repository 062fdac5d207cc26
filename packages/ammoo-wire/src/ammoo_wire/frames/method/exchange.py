"""Class exchange (40): declaring, deleting and binding exchanges."""

from ...fields import EMPTY_TABLE, Bit, ShortStr, Table
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "ExchangeBindOkParameters",
    "ExchangeBindParameters",
    "ExchangeDeclareOkParameters",
    "ExchangeDeclareParameters",
    "ExchangeDeleteOkParameters",
    "ExchangeDeleteParameters",
    "ExchangeUnbindOkParameters",
    "ExchangeUnbindParameters",
]


@method(40, 10, reserved_short=True, replies=("exchange.declare-ok",))
class ExchangeDeclareParameters(LightNamedTuple):
    """Create an exchange, or check that one like it exists."""

    exchange_name: ShortStr = ""
    exchange_type: ShortStr = "direct"
    passive: Bit = False
    """Whether only to check that the exchange exists."""
    durable: Bit = False
    """Whether it outlives a restart of the server."""
    auto_delete: Bit = False
    """Whether it is deleted with the last binding from it."""
    internal: Bit = False
    """Whether only other exchanges may publish to it, and no clients."""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(40, 11)
class ExchangeDeclareOkParameters(LightNamedTuple):
    """The exchange exists."""


@method(40, 20, reserved_short=True, replies=("exchange.delete-ok",))
class ExchangeDeleteParameters(LightNamedTuple):
    """Delete an exchange."""

    exchange_name: ShortStr = ""
    if_unused: Bit = False
    """Whether to delete it only if nothing is bound to it."""
    no_wait: Bit = False
    """Whether the server sends no answer."""


@method(40, 21)
class ExchangeDeleteOkParameters(LightNamedTuple):
    """The exchange does not exist any more."""


@method(40, 30, reserved_short=True, replies=("exchange.bind-ok",))
class ExchangeBindParameters(LightNamedTuple):
    """Bind an exchange to another, its source (RabbitMQ)."""

    destination: ShortStr = ""
    """The exchange that receives the messages."""
    source: ShortStr = ""
    """The exchange that they come from."""
    routing_key: ShortStr = ""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(40, 31)
class ExchangeBindOkParameters(LightNamedTuple):
    """The binding exists (RabbitMQ)."""


@method(40, 40, reserved_short=True, replies=("exchange.unbind-ok",))
class ExchangeUnbindParameters(LightNamedTuple):
    """Remove a binding between exchanges (RabbitMQ)."""

    destination: ShortStr = ""
    source: ShortStr = ""
    routing_key: ShortStr = ""
    no_wait: Bit = False
    """Whether the server sends no answer."""
    arguments: Table = EMPTY_TABLE


@method(40, 51)
class ExchangeUnbindOkParameters(LightNamedTuple):
    """The binding does not exist any more (RabbitMQ)."""
