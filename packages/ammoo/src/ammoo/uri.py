"""The parameters of a connection, from a URL and from keyword arguments, which override it.

The URL is RabbitMQ's (https://www.rabbitmq.com/docs/uri-spec and
/uri-query-parameters), with two additional query parameters. One difference: a lone slash,
``amqp://host/``, means the virtual host ``/`` and not the one with the empty name; for that, pass
``virtualhost=""``.

This module opens only the files of a TLS context.
"""

import ssl as tls
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from .auth.abc import Authentication, AuthenticationMechanism
from .auth.password import PasswordAuthentication
from .number_checks import check_seconds, check_time_limit, check_whole_number
from .parameters import ConnectionParameters, OpenTransport

__all__ = ["connection_parameters"]

_SCHEME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
"""The characters of a scheme (RFC 3986, section 3.1)."""
PLAIN_PORT: Final = 5672
TLS_PORT: Final = 5671
DEFAULT_CONNECTION_TIMEOUT: Final = 30.0
SHORT_CONNECTION_TIMEOUT: Final = 10.0
SHORT_ADDRESS_TIMEOUT: Final = 5.0
MOST_IN_16_BITS: Final = 2**16 - 1
MOST_IN_32_BITS: Final = 2**32 - 1


class _Location(NamedTuple):
    """The parts of a URL, percent-decoded; None for a part that it does not have."""

    tls: bool | None = None
    host: str | None = None
    port: int | None = None
    login: str | None = None
    password: str | None = None
    virtualhost: str | None = None
    query: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<_Location {self.host!r}>"


def connection_parameters(
    url: str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    virtualhost: str | None = None,
    ssl: bool | None = None,
    ssl_context: tls.SSLContext | None = None,
    heartbeat_interval: int | None = None,
    auth: Authentication | AuthenticationMechanism | None = None,
    login: str | None = None,
    password: str | None = None,
    frame_max: int | None = None,
    channel_max: int | None = None,
    connection_timeout: float | None = None,
    operation_timeout: float | None = None,
    blocked_timeout: float | None = None,
    connection_name: str | None = None,
    client_properties: Mapping[str, Any] | None = None,
    open_transport: OpenTransport | None = None,
    is_one_of_several: bool = False,
) -> ConnectionParameters:
    """Return the parameters that a URL and keyword arguments describe; see `ammoo.connect`.

    With `is_one_of_several`, the default time-outs are short, because another attempt follows.

    Raises:
        ValueError: The URL or one of its parameters is invalid, or a number is out of range.
        TypeError: An argument has a wrong type.
        OSError: A file that the URL names cannot be read.
    """
    _check_types(
        str,
        "a str",
        url=url,
        host=host,
        virtualhost=virtualhost,
        login=login,
        password=password,
        connection_name=connection_name,
    )
    _check_types(
        (Authentication, AuthenticationMechanism),
        "an Authentication or AuthenticationMechanism of ammoo.auth, as PasswordAuthentication is,"
        " or login= and password=",
        auth=auth,
    )
    _check_types(tls.SSLContext, "an ssl.SSLContext", ssl_context=ssl_context)
    if not (open_transport is None or callable(open_transport)):
        raise TypeError(
            f"open_transport is of type {type(open_transport).__name__};"
            " expected an async function like loop.create_connection"
        )
    location = _parse(url) if url is not None else _Location()
    query = location.query
    encrypted = _first(ssl, True if ssl_context is not None else None, location.tls, False)
    if encrypted and ssl_context is None:
        ssl_context = _tls_context(query)
    if auth is None:
        auth = _password_authentication(
            _first(login, location.login, "guest"),
            _first(password, location.password, "guest"),
            query.get("auth_mechanism"),
        )
    address: str = _first(host, location.host, "localhost")
    timeout = _first(connection_timeout, query.get("connection_timeout"))
    is_short = is_one_of_several and timeout is None
    heartbeat = _first(heartbeat_interval, query.get("heartbeat_interval"))
    server_hostname = _server_hostname(query.get("server_name_indication"))
    if encrypted:
        _check_name_is_known(address, server_hostname, ssl_context)
    return ConnectionParameters(
        host=address,
        port=check_whole_number(
            "port",
            _first(port, location.port, TLS_PORT if encrypted else PLAIN_PORT),
            least=1,
            most=MOST_IN_16_BITS,
        ),
        virtualhost=_first(virtualhost, location.virtualhost, "/"),
        ssl_context=ssl_context if encrypted else None,
        server_hostname=server_hostname,
        auth=auth,
        heartbeat_interval=None
        if heartbeat is None
        else check_whole_number("heartbeat_interval", heartbeat, most=MOST_IN_16_BITS),
        frame_max=check_whole_number(
            "frame_max", _first(frame_max, query.get("frame_max"), 131072), most=MOST_IN_32_BITS
        ),
        channel_max=check_whole_number(
            "channel_max",
            _first(channel_max, query.get("channel_max"), 2047),
            most=MOST_IN_16_BITS,
        ),
        connection_timeout=_no_limit_if_zero(
            check_seconds(
                "connection_timeout",
                _first(
                    timeout, SHORT_CONNECTION_TIMEOUT if is_short else DEFAULT_CONNECTION_TIMEOUT
                ),
            )
        ),
        operation_timeout=check_time_limit("operation_timeout", operation_timeout),
        blocked_timeout=check_time_limit("blocked_timeout", blocked_timeout),
        address_timeout=SHORT_ADDRESS_TIMEOUT if is_short else None,
        client_properties={
            **({"connection_name": connection_name} if connection_name is not None else {}),
            **(client_properties or {}),
        },
        open_transport=open_transport,
    )


def _first(*values: Any) -> Any:
    """Return the first of the values that is not None."""
    return next((value for value in values if value is not None), None)


def _no_limit_if_zero(seconds: float | None) -> float | None:
    return seconds or None


def _check_types(kind: type | tuple[type, ...], expected: str, **arguments: object) -> None:
    """Check the types of arguments that are not None.

    An error shows no value, because it could be a password.

    Raises:
        TypeError: An argument has a wrong type.
    """
    for name, value in arguments.items():
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} is of type {type(value).__name__}; expected {expected}")


# --- the URL -------------------------------------------------------------------------------


def _parse(url: str) -> _Location:
    """Return the parts of a URL.

    Raises:
        ValueError: The URL is invalid. The text quotes no part that could belong to the password.
    """
    if url != url.strip() or not url.isprintable():
        raise ValueError(
            "the URL has white space at one of its ends, such as the newline of a file, or a"
            " character that does not print, such as a tab; strip it, or write it as %0A for example"
        )
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("amqp", "amqps"):
        # Not the URL itself, which may contain a password; a scheme contains none.
        is_scheme = separator and _SCHEME.issuperset(scheme)
        begins = f"; this one begins with {scheme}://" if is_scheme else ""
        raise ValueError(f"a URL for connect begins with amqp:// or amqps://{begins}")
    try:
        return _parse_rest(scheme.lower() == "amqps", rest)
    except ValueError:
        # RFC 3986 allows an @ in the virtual host and in the query. But if the URL is invalid, the
        # text before the @ is most likely user and password, with a delimiter in them.
        if "@" in rest[len(rest.replace("?", "/").partition("/")[0]) :]:
            raise ValueError(
                "the URL is invalid, and has an @ after a / or ?; in user and password, write"
                " %2F for /, %3F for ? and %40 for @"
            ) from None
        raise


def _parse_rest(encrypted: bool, rest: str) -> _Location:
    """Return the parts of a URL after its scheme; see `_parse`."""
    from urllib.parse import unquote  # 3 ms at import, needed only where there is a URL

    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    userinfo, at, address = authority.rpartition("@")
    login, colon, password = userinfo.partition(":")
    if "/" in path:
        raise ValueError(
            f"the virtual host in the URL is {path!r}; expected one segment: write %2F for a slash"
        )
    host, port = _split_address(address)
    return _Location(
        tls=encrypted,
        host=unquote(host) or None,
        port=port,
        login=unquote(login) if at else None,
        password=unquote(password) if colon else None,
        virtualhost=(unquote(path) or None) if slash else None,
        query=_parse_query(query),
    )


def _split_address(address: str) -> tuple[str, int | None]:
    """Split an address into host and port; an IPv6 address is in brackets.

    Raises:
        ValueError: The address is invalid. The text does not quote it: in a URL without @ and host
            it is user and password.
    """
    if "," in address:
        raise ValueError(
            "the URL names several hosts, separated by commas; expected one in each URL"
        )
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, ""
    if host.startswith("["):
        if not host.endswith("]"):
            raise ValueError("the address in the URL has an opening bracket and no closing bracket")
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address in a URL must be in brackets, as in amqp://[::1]/")
    if port and not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise ValueError(
            "the port, after the last colon of the URL's address, is not a number up to 65535;"
            " a URL is amqp://user:password@host:port/virtualhost"
        )
    return host, int(port) if port else None


def _parse_query(query: str) -> dict[str, Any]:
    from urllib.parse import unquote

    values: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        name, _, text = map(unquote, pair.partition("="))
        if name not in _QUERY and "key_password" in values:
            raise ValueError(
                "the URL has an unknown query parameter after password=;"
                " if it is part of the password, write %26 for &"
            )
        if name not in _QUERY:
            raise ValueError(
                f"unknown query parameter {name!r} in the URL; known are {', '.join(_QUERY)}"
            )
        if not text:
            # Most likely an unset variable of a template. An empty value would turn checks off:
            # no certificate authority but the system's, no name to expect.
            raise ValueError(f"the URL's {name} is empty; set it, or leave it out")
        key, convert = _QUERY[name]
        if key == "auth_mechanism":
            values.setdefault(key, []).append(text)
        else:
            values[key] = convert(name, text)
    return values


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"the URL's {name} is {text!r}; expected a whole number")
    return int(text)


def _milliseconds(name: str, text: str) -> float:
    return _number(name, text) / 1000


def _verify(name: str, text: str) -> bool:
    if text not in ("verify_peer", "verify_none"):
        raise ValueError(f"the URL's {name} is {text!r}; expected verify_peer or verify_none")
    return text == "verify_peer"


def _text(name: str, text: str) -> str:
    return text


# By the name in the URL: the name of the client's argument, and the function that reads the text.
_QUERY: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "heartbeat": ("heartbeat_interval", _number),
    "heartbeat_interval": ("heartbeat_interval", _number),
    "frame_max": ("frame_max", _number),
    "channel_max": ("channel_max", _number),
    "connection_timeout": ("connection_timeout", _milliseconds),
    "auth_mechanism": ("auth_mechanism", _text),
    "cacertfile": ("cacertfile", _text),
    "certfile": ("certfile", _text),
    "keyfile": ("keyfile", _text),
    "password": ("key_password", _text),
    "verify": ("verify", _verify),
    "server_name_indication": ("server_name_indication", _text),
    "fail_if_no_peer_cert": ("fail_if_no_peer_cert", _text),  # a server's option; of no effect
}


# --- TLS and login -------------------------------------------------------------------------


def _tls_context(query: Mapping[str, Any]) -> tls.SSLContext:
    """Return a context that verifies the server, unless the URL says otherwise."""
    try:
        context = tls.create_default_context(cafile=query.get("cacertfile"))
    except OSError as error:
        raise _unreadable(error, query, "cacertfile") from error
    if query.get("verify") is False or query.get("server_name_indication") == "disable":
        context.check_hostname = False
    if query.get("verify") is False:
        context.verify_mode = tls.CERT_NONE
    if "certfile" in query:
        try:
            context.load_cert_chain(
                query["certfile"], query.get("keyfile"), query.get("key_password")
            )
        except OSError as error:
            raise _unreadable(error, query, "certfile", "keyfile") from error
    return context


def _unreadable(error: OSError, query: Mapping[str, Any], *names: str) -> OSError:
    """Return an error of the same class that names the URL's files."""
    files = " and ".join(f"{name} {query[name]!r}" for name in names if name in query)
    return type(error)(error.errno, f"{error.strerror or error}: the URL's {files}")


def _server_hostname(indication: str | None) -> str | None:
    """Return the name to expect in the certificate; RabbitMQ's "disable" expects none."""
    return None if indication == "disable" else indication


def _check_name_is_known(
    host: str, server_hostname: str | None, ssl_context: tls.SSLContext | None
) -> None:
    """Raise if the server's name is to be checked, but is not known.

    Raises:
        ValueError: The server is reached over a Unix socket, which has no host name.
    """
    is_path = host.startswith("/")
    if is_path and not server_hostname and ssl_context is not None and ssl_context.check_hostname:
        raise ValueError(
            "TLS over a Unix socket has no host name to check the certificate against: name it with"
            " server_name_indication=NAME in the URL, or turn the check off with"
            " server_name_indication=disable or ssl_context.check_hostname = False"
        )


def _password_authentication(
    login: str, password: str, mechanisms: list[str] | None
) -> PasswordAuthentication:
    if mechanisms is None:
        return PasswordAuthentication(login, password)
    return PasswordAuthentication(login, password, mechanisms=mechanisms)
