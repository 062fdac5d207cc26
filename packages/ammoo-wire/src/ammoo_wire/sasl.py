"""The responses of the mechanisms PLAIN and AMQPLAIN, written and read.

They are octets in ``connection.start-ok``. This module does not know who may log
in. No error's text quotes a user name or a password.
"""

from .exceptions import AMQPError
from .fields import LongString, Octets, as_octets
from .table_decoder import decode_table
from .table_encoder import encode_table

__all__ = ["amqplain_response", "parse_amqplain", "parse_plain", "plain_response"]


def plain_response(login: str, password: str, authzid: str = "") -> bytes:
    """Return the response of PLAIN (RFC 4616).

    ::

        assert plain_response("guest", "guest") == b"\\x00guest\\x00guest"

    Raises:
        ValueError: A part is not a str, cannot be encoded as UTF-8, or holds a NUL character, which
            separates the parts.
    """
    parts = [
        _octets(authzid, "authzid"),
        _octets(login, "login"),
        _octets(password, "password"),
    ]
    if any(b"\x00" in part for part in parts):
        raise ValueError(
            "a login or a password for the mechanism PLAIN cannot hold a NUL character"
        )
    return b"\x00".join(parts)


def parse_plain(response: Octets | memoryview) -> tuple[str, str, str]:
    """Read the response of PLAIN.

    ::

        authzid, login, password = parse_plain(plain_response("guest", "a password"))
        assert (authzid, login, password) == ("", "guest", "a password")

    Returns:
        The user to act as, the user who logs in, and the password.

    Raises:
        ValueError: The octets are no such response.
    """
    parts = as_octets(response).tobytes().split(b"\x00")
    if len(parts) != 3:
        raise ValueError(
            f"a PLAIN response has 3 parts, separated by NUL characters; this one has {len(parts)}"
        )
    try:
        authzid, login, password = (part.decode() for part in parts)
    except UnicodeDecodeError:
        pass  # it holds the part, so it must not be the context of what is raised
    else:
        return authzid, login, password
    raise ValueError("a PLAIN response is text in UTF-8; this one is not")


def amqplain_response(login: str, password: str) -> bytes:
    """Return the response of AMQPLAIN: a field table without the octets of its length.

    ::

        response = amqplain_response("guest", "guest")
        start_ok = ConnectionStartOkParameters({}, "AMQPLAIN", response, "en_US")

    Raises:
        ValueError: A part is not a str, or cannot be encoded as UTF-8.
    """
    table = {
        "LOGIN": LongString(_octets(login, "login")),
        "PASSWORD": LongString(_octets(password, "password")),
    }
    return encode_table(table)[4:]


def parse_amqplain(response: Octets | memoryview) -> tuple[str, str]:
    """Read the response of AMQPLAIN.

    ::

        login, password = parse_amqplain(amqplain_response("guest", "a password"))
        assert (login, password) == ("guest", "a password")

    Returns:
        The user who logs in, and the password.

    Raises:
        ValueError: The octets are no such response.
    """
    try:
        octets = as_octets(response)
        table = decode_table(len(octets).to_bytes(4, "big") + octets)
    except AMQPError as error:
        raise ValueError(
            "an AMQPLAIN response is a field table without its length; this one is not"
        ) from error
    login, password = table.get("LOGIN"), table.get("PASSWORD")
    if not isinstance(login, str) or not isinstance(password, str):
        raise ValueError(  # noqa: TRY004  the value is wrong, whatever its type
            "an AMQPLAIN response holds LOGIN and PASSWORD as long strings"
        )
    return login, password


def _octets(part: object, name: str) -> bytes:
    if not isinstance(part, str):
        raise ValueError(  # noqa: TRY004  as for any other bad part
            f"{name} is of type {type(part).__name__}; expected a str"
        )
    try:
        return part.encode()
    except UnicodeEncodeError:
        pass  # it holds the text, so it must not be the context of what is raised
    raise ValueError(f"{name} cannot be encoded as UTF-8")
