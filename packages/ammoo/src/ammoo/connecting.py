"""`Connecting`: the return value of `connect`, which a program awaits or enters.

It has all methods of a coroutine, because programs pass it to `create_task`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from functools import wraps
from ssl import SSLContext
from types import TracebackType
from typing import Any, ParamSpec

from ammoo_wire import FieldValue

from .auth.abc import Authentication, AuthenticationMechanism
from .connection import Connection
from .credentials import CredentialsProvider
from .instrumentation.hooks import Hooks
from .instrumentation.instruments import Instruments
from .number_checks import check_above_zero, check_whole_number
from .parameters import OpenTransport
from .recovery.options import Recovery

__all__ = ["Connecting", "connect"]

_ArgumentsT = ParamSpec("_ArgumentsT")


class Connecting(Coroutine[Any, Any, Connection]):
    """The call of `connect`: await it for a connection that is not open yet, or enter it for an open one."""

    __slots__ = ("_connection", "_coroutine")

    def __init__(self, coroutine: Coroutine[Any, Any, Connection]) -> None:
        self._coroutine = coroutine
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        """Connect the socket, and open the connection.

        Raises:
            Exception: What `connect` and `Connection.open` raise.
        """
        self._connection = await self._coroutine
        return await self._connection.__aenter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection: see `Connection.__aexit__`."""
        if self._connection is not None:
            await self._connection.__aexit__(exc_type, exc, traceback)

    # --- the methods of a coroutine ---

    def __await__(self) -> Generator[Any, Any, Connection]:
        """Connect the socket."""
        return self._coroutine.__await__()

    def send(self, value: Any, /) -> Any:
        """Resume the coroutine."""
        return self._coroutine.send(value)

    def throw(self, *args: Any) -> Any:
        """Raise an exception in the coroutine."""
        return self._coroutine.throw(*args)

    def close(self) -> None:
        """End the coroutine."""
        self._coroutine.close()


def _connects(
    function: Callable[_ArgumentsT, Coroutine[Any, Any, Connection]],
) -> Callable[_ArgumentsT, Connecting]:
    """Wrap a coroutine function: its coroutines can also be entered."""

    @wraps(function)
    def connect(*args: _ArgumentsT.args, **kwargs: _ArgumentsT.kwargs) -> Connecting:
        return Connecting(function(*args, **kwargs))

    return connect


@_connects
async def connect(
    url: str | Sequence[str] | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    virtualhost: str | None = None,
    ssl: bool | None = None,
    ssl_context: SSLContext | None = None,
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
    client_properties: Mapping[str, FieldValue] | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    connection_factory: Callable[..., Connection | type[Connection]] | None = None,
    recovery: Recovery | None = None,
    credentials: CredentialsProvider | None = None,
    hooks: Hooks | None = None,
    record_frames: int = 0,
    stall_guard: float | None = None,
    open_transport: OpenTransport | None = None,
) -> Connection:
    """Connect the socket to an AMQP server, and return the connection, which is not open yet.

    The handshake is done when the connection is entered, or opened with `Connection.open`. Entering
    the call itself does both::

        async with ammoo.connect("amqp://guest:guest@localhost/") as connection:
            async with connection.channel() as channel:
                await channel.publish("", "my_queue", "text body")

    A keyword argument overrides the URL. The URL is RabbitMQ's
    (https://www.rabbitmq.com/docs/uri-spec), with its query parameters cacertfile, certfile,
    keyfile, verify, server_name_indication, auth_mechanism, heartbeat, connection_timeout (in
    milliseconds) and channel_max. ammoo adds heartbeat_interval and frame_max.

    If the caller is cancelled, the socket is closed.

    Args:
        url: ``amqp://`` or ``amqps://``, with user, password, host, port and virtual host; each
            part has the default of its keyword argument; None for all the defaults. With several
            URLs the client tries each, in an order that is shuffled once; keyword arguments apply
            to all of them.
        host: The server's name or address, or the path of a Unix socket; ``localhost`` by
            default.
        port: 5672 by default, 5671 with TLS.
        virtualhost: The virtual host; ``/`` by default.
        ssl: Whether to encrypt (TLS); by default True with ``amqps://`` or an `ssl_context`, else
            False.
        ssl_context: The TLS settings. By default the client verifies the server's certificate
            against the authorities that the system trusts.
        heartbeat_interval: The heartbeat timeout to propose, in seconds, up to 65535
            (https://www.rabbitmq.com/docs/heartbeats). The client sends a heartbeat when it has
            sent nothing for half of this time, and ends the connection when it has received
            nothing for twice this time. By default the server's proposal; 0 for no heartbeats.
        auth: How to log in: a mechanism of `ammoo.auth`, or an object that chooses one. By default
            `login` and `password`.
        login: The user; ``guest`` by default.
        password: The password; ``guest`` by default.
        frame_max: The largest frame, in octets, at least 4096; 131072 by default, 0 for no limit.
            The server may lower it. RabbitMQ 4.1 and later reject less than 8192.
        channel_max: How many channels may be open, up to 65535; 2047 by default, 0 for no limit.
            The server may lower it.
        connection_timeout: How long to wait for the socket, and again for the handshake, in
            seconds; 0 for no limit. 30 by default. With several URLs or with `recovery` it is 10 for
            each host; if the host has several addresses, 5 for the socket of each.
        operation_timeout: How long each operation may take until the server has answered it, in
            seconds; no limit by default. For a publish this time includes the wait for the
            connection (with recovery), for the server and the socket to accept the message, and
            for the confirm. To limit a single operation, put ``asyncio.timeout`` around it.
        blocked_timeout: How long a publish may wait because the server or the socket accepts no
            messages, in seconds; no limit by default. While the server has blocked the connection,
            it also limits the wait for confirms of earlier publishes.
        connection_name: The name of the connection in RabbitMQ's management; none by default.
        client_properties: Further properties of the client for the server's log and management;
            none by default.
        loop: The running event loop, for programs that pass it; no other one is possible.
        connection_factory: A subclass of `Connection`, or a function that takes the parameters of
            `Connection` and returns a connection or a subclass.
        recovery: How to connect again when the connection is lost, with channels, topology and
            consumers restored; see `Recovery`. By default the connection ends with its socket.
        credentials: An async function that returns `Credentials`, called at each connect, and
            before the credentials expire. Excludes auth, login and password; None by default.
        hooks: An object whose methods are called when something happens to a message or to the
            connection; see `Hooks`. None by default.
        record_frames: How many commands and heartbeats to record. The exception of a protocol error
            shows in a note what both sides have sent, with headers and the beginnings of bodies, but
            without passwords. 0, the default, for none.
        stall_guard: A share of the heartbeat interval, such as 0.5. When the event loop has been
            blocked for that share of the interval, a thread logs the stack of the code that blocks
            it. None, the default, for no guard. Without heartbeats there is no guard.
        open_transport: An async function that connects instead of ``loop.create_connection``, and
            is called with the same arguments: a protocol factory, host and port, and the keywords
            ``ssl`` and ``server_hostname``. It returns a transport and a protocol. None, the
            default, for the event loop's function. Tests pass ``broker.open_transport`` of a
            ``FakeBroker``, for a connection in memory.

    Raises:
        OSError: The socket cannot be connected, or a file that the URL names cannot be read.
            `ssl.SSLError` and `TimeoutError` are subclasses.
        CredentialsUnavailable: The function `credentials` raised an exception.
        RecoveryFailed: The first connect was retried (`Recovery`) until the deadline, or for as
            many rounds as allowed; the cause is the last failure.
        ValueError: The URL or a number is invalid, or arguments contradict each other.
        TypeError: An argument has a wrong type: a class, for example, where an object is expected. Or
            the function `credentials` returned no `Credentials`.
    """
    from .uri import connection_parameters  # with the mechanisms, a tenth of the import time

    running_loop = asyncio.get_running_loop()
    if loop is not None and loop is not running_loop:
        raise ValueError("loop is not the running event loop; leave it out")
    if credentials is not None and not (auth is None and login is None and password is None):
        raise ValueError(
            "credentials replaces auth, login and password; pass either credentials or these"
        )
    _check_options(recovery, credentials, hooks, record_frames, stall_guard)
    # bytes, too: `connection_parameters` refuses them, and not each of their octets.
    urls: Sequence[str | None] = [url] if url is None or isinstance(url, str | bytes) else url
    if not urls:
        raise ValueError("url is an empty sequence; expected at least one URL")
    hosts = [
        connection_parameters(
            each,
            host=host,
            port=port,
            virtualhost=virtualhost,
            ssl=ssl,
            ssl_context=ssl_context,
            heartbeat_interval=heartbeat_interval,
            auth=auth,
            login=login,
            password=password,
            frame_max=frame_max,
            channel_max=channel_max,
            connection_timeout=connection_timeout,
            operation_timeout=operation_timeout,
            blocked_timeout=blocked_timeout,
            connection_name=connection_name,
            client_properties=client_properties,
            open_transport=open_transport,
            is_one_of_several=recovery is not None or len(urls) > 1,
        )
        for each in urls
    ]
    made = (connection_factory or Connection)(hosts[0])
    connection = made(hosts[0]) if isinstance(made, type) else made
    if hooks is not None or record_frames or stall_guard is not None:
        connection._instruments = Instruments(hooks, record_frames, stall_guard)
    connection._prepare(hosts, recovery, credentials)
    await connection._open_socket()
    return connection


def _check_options(
    recovery: object,
    credentials: object,
    hooks: object,
    record_frames: object,
    stall_guard: object,
) -> None:
    """Check the options that are used later only, some of them while the connection reads.

    Raises:
        TypeError: An option has a wrong type.
        ValueError: A number is out of range.
    """
    if not (recovery is None or isinstance(recovery, Recovery)):
        raise TypeError(f"recovery is {recovery!r}; expected a Recovery, such as ammoo.Recovery()")
    if not (credentials is None or callable(credentials)):
        raise TypeError(
            f"credentials is of type {type(credentials).__name__}; expected an async function that"
            " returns Credentials"
        )
    if not (hooks is None or isinstance(hooks, Hooks)):
        raise TypeError(f"hooks is {hooks!r}; expected an object of a subclass of ammoo.Hooks")
    check_whole_number("record_frames", record_frames)
    if stall_guard is not None:
        check_above_zero("stall_guard", stall_guard, "a share of the heartbeat interval")
