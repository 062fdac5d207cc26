"""Which reply-to addresses a reply can be published to.

RabbitMQ makes the addresses of direct replies itself: the name of the pseudo-queue, an Erlang
process and a key, both in base64. RabbitMQ up to 4.2 closes the connection (541) of a client that
publishes to a malformed address of this kind. The sender of a request chooses the address, so
the server of requests checks it.
See https://www.rabbitmq.com/docs/direct-reply-to
"""

import binascii
from base64 import b64decode
from typing import Final

__all__ = ["PSEUDO_QUEUE", "is_reply_address"]

PSEUDO_QUEUE: Final = "amq.rabbitmq.reply-to"
_PREFIX: Final = f"{PSEUDO_QUEUE}."

# A process in Erlang's external term format: version, tag, the node's name as an atom, and
# three numbers of four octets.
_VERSION: Final = 131
_NEW_PID: Final = 88
_SHORT_ATOMS: Final = b"sw"  # the length has one octet
_LONG_ATOMS: Final = b"dv"  # the length has two octets
_NUMBERS_SIZE: Final = 12


def is_reply_address(reply_to: str | None) -> bool:
    """Return whether a reply can be published to an address without losing the connection.

    Any name of a queue is safe, even if there is no such queue: RabbitMQ drops the reply then.
    """
    if not reply_to or reply_to == PSEUDO_QUEUE:
        return False
    if not reply_to.startswith(_PREFIX):
        return True
    process, _, key = reply_to.removeprefix(_PREFIX).partition(".")
    return bool(key) and _names_process(process)


def _names_process(text: str) -> bool:
    """Return whether a text is an Erlang process in base64."""
    try:
        octets = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    if len(octets) < 4 or (octets[0], octets[1]) != (_VERSION, _NEW_PID):
        return False
    if octets[2] in _SHORT_ATOMS:
        end_of_atom = 4 + octets[3]
    elif octets[2] in _LONG_ATOMS:
        end_of_atom = 5 + int.from_bytes(octets[3:5])
    else:
        return False
    return len(octets) == end_of_atom + _NUMBERS_SIZE
