"""Class access (30): asking for access to a realm, as clients of AMQP 0-8 and 0-9 do.

AMQP 0-9-1 dropped the class, and left of its tickets two octets in front of other methods.
RabbitMQ answers it all the same.
"""

from ...fields import Bit, Short, ShortStr
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = ["AccessRequestOkParameters", "AccessRequestParameters"]


@method(30, 10, replies=("access.request-ok",))
class AccessRequestParameters(LightNamedTuple):
    """Ask for a ticket to a realm."""

    realm: ShortStr = "/data"
    exclusive: Bit = False
    passive: Bit = True
    active: Bit = True
    write: Bit = True
    read: Bit = True


@method(30, 11)
class AccessRequestOkParameters(LightNamedTuple):
    """The ticket is granted."""

    ticket: Short = 1
