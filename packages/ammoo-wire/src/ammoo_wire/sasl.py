"""The responses of the mechanisms PLAIN and AMQPLAIN, written and read.

They are octets in ``connection.start-ok``. What a user name and a password are
good for is not known here.
"""

from .exceptions import AMQPError
from .fields import decode_table, encode_table

__all__ = ["amqplain_response", "parse_amqplain", "parse_plain", "plain_response"]


def plain_response(login: str, password: str, authzid: str = "") -> bytes:
    """Write the response of PLAIN (RFC 4616).

    Raises:
        ValueError: A part holds the octet 0, which separates them.
    """
    parts = (authzid, login, password)
    if any("\x00" in part for part in parts):
        raise ValueError(
            "a login or a password for the mechanism PLAIN cannot hold a NUL character"
        )
    return "\x00".join(parts).encode()


def parse_plain(response: bytes) -> tuple[str, str, str]:
    """Read the response of PLAIN.

    Returns:
        Whom to act as, who logs in, and the password.

    Raises:
        ValueError: It is none.
    """
    parts = response.split(b"\x00")
    if len(parts) != 3:
        raise ValueError(f"a PLAIN response has 3 parts, this one {len(parts)}")
    authzid, login, password = (part.decode() for part in parts)
    return authzid, login, password


def amqplain_response(login: str, password: str) -> bytes:
    """Write the response of AMQPLAIN: a field table without the octets of its length."""
    return encode_table({"LOGIN": login, "PASSWORD": password})[4:]


def parse_amqplain(response: bytes) -> tuple[str, str]:
    """Read the response of AMQPLAIN.

    Returns:
        Who logs in, and the password.

    Raises:
        ValueError: It is none.
    """
    try:
        table = decode_table(len(response).to_bytes(4, "big") + response)
    except AMQPError as error:
        raise ValueError("an AMQPLAIN response is a field table") from error
    login, password = table.get("LOGIN"), table.get("PASSWORD")
    if not isinstance(login, str) or not isinstance(password, str):
        raise ValueError(  # noqa: TRY004  the value is wrong, whatever its type
            "an AMQPLAIN response holds LOGIN and PASSWORD as long strings"
        )
    return login, password
