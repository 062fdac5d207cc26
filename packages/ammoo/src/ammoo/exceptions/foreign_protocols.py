"""Which protocol a server speaks that does not speak AMQP 0-9-1, and what the user can do.

A wrong port is the usual reason. This module knows the first octets of protocols; it raises nothing.
"""

from typing import Final

__all__ = ["protocol_of"]

_CHECK_PORT: Final = "check host and port: RabbitMQ's usual port is 5672, with TLS 5671"
_OTHER_CLIENT: Final = "use a client of AMQP 1.0, or a server of AMQP 0-9-1, such as RabbitMQ"
_PROTOCOLS: Final = {
    b"AMQP\x00\x00\x09": (
        "AMQP 0-9-1, but refused this client's protocol header",
        "check the proxies between client and server: one of them may change the data",
    ),
    b"AMQP\x00\x01": ("AMQP 1.0", _OTHER_CLIENT),
    b"AMQP\x03\x01": ("AMQP 1.0 and wants a login by SASL", _OTHER_CLIENT),
    b"AMQP\x02\x01": ("AMQP 1.0 and wants TLS", _OTHER_CLIENT),
    b"AMQP": ("another version of AMQP", "use a server of AMQP 0-9-1, such as RabbitMQ"),
    b"HTTP/": ("HTTP", f"{_CHECK_PORT}; 15672 is for its management"),
    b"\x15\x03": ("TLS", "connect with amqps://, usually port 5671"),
    b"SSH-": ("SSH", _CHECK_PORT),
    b"-ERR": ("Redis' protocol", _CHECK_PORT),
    b"+OK": ("POP3", _CHECK_PORT),
    b"220": ("SMTP or FTP", _CHECK_PORT),
    b"* OK": ("IMAP", _CHECK_PORT),
    b"ERROR": ("STOMP or memcached's protocol", _CHECK_PORT),
}
"""Which protocol a server's first octets belong to, and what to do; the first match counts."""


def protocol_of(octets: bytes) -> tuple[str, str]:
    """Return the protocol that begins with these octets, and what to do.

    Args:
        octets: The first octets that the server has sent.

    Returns:
        The protocol, empty if it is not known, and what the user can do.
    """
    for beginning, known in _PROTOCOLS.items():
        if octets.startswith(beginning):
            return known
    return "", _CHECK_PORT
