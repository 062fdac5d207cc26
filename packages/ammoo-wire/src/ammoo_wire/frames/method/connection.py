"""Class connection (10): opening, tuning and closing, always on channel 0."""

from ...fields import (
    Long,
    LongStr,
    Octet,
    Short,
    ShortStr,
    Table,
)
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "ConnectionBlockedParameters",
    "ConnectionCloseOkParameters",
    "ConnectionCloseParameters",
    "ConnectionOpenOkParameters",
    "ConnectionOpenParameters",
    "ConnectionSecureOkParameters",
    "ConnectionSecureParameters",
    "ConnectionStartOkParameters",
    "ConnectionStartParameters",
    "ConnectionTuneOkParameters",
    "ConnectionTuneParameters",
    "ConnectionUnblockedParameters",
    "ConnectionUpdateSecretOkParameters",
    "ConnectionUpdateSecretParameters",
]


@method(10, 10, replies=("connection.start-ok",))
class ConnectionStartParameters(LightNamedTuple):
    """The server describes itself, and names the mechanisms for logging in."""

    version_major: Octet
    version_minor: Octet
    server_properties: Table
    mechanisms: LongStr
    """Names of SASL mechanisms, separated by spaces."""
    locales: LongStr
    """Names of locales, separated by spaces."""


@method(10, 11)
class ConnectionStartOkParameters(LightNamedTuple):
    """The client describes itself, chooses a mechanism, and answers it."""

    client_properties: Table
    mechanism: ShortStr
    response: LongStr
    locale: ShortStr


@method(10, 20, replies=("connection.secure-ok",))
class ConnectionSecureParameters(LightNamedTuple):
    """The server sends a challenge of the mechanism."""

    challenge: LongStr


@method(10, 21)
class ConnectionSecureOkParameters(LightNamedTuple):
    """The client answers a challenge."""

    response: LongStr


@method(10, 30, replies=("connection.tune-ok",))
class ConnectionTuneParameters(LightNamedTuple):
    """The server proposes limits; 0 is no limit, and no heartbeat."""

    channel_max: Short
    frame_max: Long
    heartbeat: Short
    """Seconds."""


@method(10, 31)
class ConnectionTuneOkParameters(LightNamedTuple):
    """The client settles the limits."""

    channel_max: Short
    frame_max: Long
    heartbeat: Short
    """Seconds."""


@method(10, 40, replies=("connection.open-ok",))
class ConnectionOpenParameters(LightNamedTuple):
    """The client asks for a virtual host."""

    virtualhost: ShortStr = "/"
    reserved_1: ShortStr = ""
    reserved_2: Octet = 0


@method(10, 41)
class ConnectionOpenOkParameters(LightNamedTuple):
    """The connection is open."""

    reserved_1: ShortStr = ""


@method(10, 50, replies=("connection.close-ok",))
class ConnectionCloseParameters(LightNamedTuple):
    """Either peer closes the connection, with a reason."""

    reply_code: Short = 200
    reply_text: ShortStr = ""
    class_id: Short = 0
    """Class of the method at fault, or 0."""
    method_id: Short = 0
    """Method at fault, or 0."""


@method(10, 51)
class ConnectionCloseOkParameters(LightNamedTuple):
    """The other peer has closed too."""


@method(10, 60)
class ConnectionBlockedParameters(LightNamedTuple):
    """The server will read no more publishes for now (RabbitMQ)."""

    reason: ShortStr


@method(10, 61)
class ConnectionUnblockedParameters(LightNamedTuple):
    """The server reads publishes again (RabbitMQ)."""


@method(10, 70, replies=("connection.update-secret-ok",))
class ConnectionUpdateSecretParameters(LightNamedTuple):
    """The client replaces the secret it logged in with (RabbitMQ)."""

    new_secret: LongStr
    reason: ShortStr


@method(10, 71)
class ConnectionUpdateSecretOkParameters(LightNamedTuple):
    """The new secret is in force (RabbitMQ)."""
