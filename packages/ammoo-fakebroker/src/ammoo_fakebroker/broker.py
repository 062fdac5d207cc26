"""`FakeBroker`: the class that users of this package use.

It starts and stops a server with a node, in the running event loop or in a separate thread. Its base
classes have the methods with which tests set a broker up, look at it and move its time.
Every method can be called from any thread: it runs in the broker's thread, and returns snapshots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Literal, NoReturn, Self, TypeVar
from urllib.parse import quote

from .administration import Administration
from .broker_snapshots import Restoring
from .call_checks import check_boolean, check_integer, check_text
from .clocks.clock import ManualClock
from .definitions.files import DefinitionFiles
from .event_queries import EventQueries
from .history.recorder import Recorder
from .in_memory import InMemory
from .interruptions import Interruptions
from .node.limits import Limits
from .node.node import DEFAULT_VIRTUALHOST, Node
from .option_names import names_options
from .rabbitmq.profiles import profile_named
from .setup import SetUp
from .similar_names import similar_name
from .time_control import TimeControl, network_clock
from .waiting.waiters import Waiters

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    from .faults.faults import Faults
    from .management.managed_server import ManagedServer
    from .management.statistics.statistics import Statistics
    from .network.server import Server
    from .network.threaded_server import Runnable, ThreadedServer

__all__ = ["FakeBroker"]

_Result = TypeVar("_Result")

_END_TIMEOUT = 5.0
"""Seconds that the end of a broker leaves its thread for what clients have sent."""


class FakeBroker(
    Administration,
    DefinitionFiles,
    SetUp,
    Interruptions,
    Restoring,
    InMemory,
    EventQueries,
    TimeControl,
):
    """A broker for tests that answers as RabbitMQ does.

    ``async with`` runs it in the current event loop, ``with`` in a separate thread, which also
    serves blocking clients and other processes. A broker can be started once. Leaving the block
    reads what clients have sent, which takes some tenths of a second if they go on sending, and
    closes the connections with 320 (CONNECTION_FORCED) without waiting for their answers; if the
    task is cancelled inside ``async with``, the broker is stopped in the same way. If no other exception
    leaves the block, its end raises what clients could not see, as `check_responders` and
    `check_functions` do. A broker that was stopped can still be looked at, and has its history;
    what would change it raises RuntimeError.

    Example::

        with FakeBroker() as broker:
            connection = pika.BlockingConnection(pika.URLParameters(broker.url))

        async with FakeBroker(heartbeat=10) as broker:
            async with ammoo.connect(broker.url) as connection:
                ...

    Args:
        host: The address to listen on.
        port: The port to listen on; 0, the default, for a free one.
        management_port: The port of the management interface, RabbitMQ's HTTP API, at the same
            address; 0 for a free one (see `management_url`). None, the default, for no such
            interface.
        control: Whether the management port also serves ``/fake``, with which programs in other
            languages control the broker: faults, history, clock. There is no login.
        compatibility: The RabbitMQ release to imitate: ``"4.3"``, ``"4.0"`` or ``"3.10"``.
        clock: A `ManualClock`, with which a test moves the time in which messages and queues
            expire; None, the default, for real time. Several brokers can share a clock.
        connection_time: The time of the broker's heartbeats and connection time-outs: ``"real"``,
            the default, or ``"clock"`` for the time of `clock`. With ``"clock"`` the broker
            disconnects a client if a test moves the clock by more than two heartbeat intervals
            before the client has sent another heartbeat.
        tls: The server-side context to speak TLS with; None for plain TCP.
        certificate_login: The part of a client's certificate that is the user name for EXTERNAL:
            ``"distinguished_name"`` or ``"common_name"``.
        mechanisms: The names of the SASL mechanisms to offer, such as ``"EXTERNAL"`` or
            ``"RABBIT-CR-DEMO"``; None for those that the release offers by default.
        loopback_users: The users that can log in from this machine only.
        plugins: The names of RabbitMQ's plugins to enable: ``"rabbitmq_consistent_hash_exchange"``
            (exchanges of type ``x-consistent-hash``) and ``"rabbitmq_delayed_message_exchange"``
            (``x-delayed-message``, with delays on the broker's clock).
        channel_max: The channels that a connection may open, proposed in connection.tune; 0 for
            no limit.
        frame_max: The largest frame in octets, proposed in connection.tune; 0 for no limit.
        heartbeat: The seconds between heartbeats, proposed in connection.tune; 0 for none. A
            client is disconnected between two and three times as long after its last octet.
        max_message_size: The largest message body in octets; None for the release's limit
            (16 MiB in 4.3 and 4.0, 128 MiB in 3.10). A larger body closes the channel with 406.
        memory_limit: How much memory messages may take, in octets; None for any amount. Above this
            limit publishers are blocked, as by RabbitMQ's memory alarm.
        handshake_timeout: The seconds within which a client must open its connection.
        login_pause: The seconds between a refused login, or another fault before limits are
            agreed on, and the closing of the socket.
        closing_timeout: The seconds to wait for connection.close-ok, or for the client to close
            its socket; not more than one heartbeat interval.
        send_timeout: The seconds after which a client that does not read is disconnected.
        consumer_timeout: The milliseconds within which a delivery must be settled; None for no
            limit. In 4.0 and 3.10 a late delivery closes the channel with 406. In 4.3 only quorum
            queues have this limit: they take the delivery back and cancel the consumer, or close
            the channel with 406 after a basic.get or if the client does not support that cancel.
        consumer_timeout_check: The seconds between two checks of that time; 4.3 needs no checks.
        history: How many events to keep for `history`, `published` and the like; 0 for no history.
            A history holds at most 16 MiB of bodies of more than 1 KiB.
        seed: The seed of the random numbers of faults. With the same seed and the same order of
            events, the same strikes happen; each fault has its own random numbers.

    Raises:
        TypeError: There is no such option, or its value has a wrong type.
        ValueError: The value of an option is out of its range, or there is no such release or
            mechanism.
    """

    # Here as well, because pytest prints the repr of a broker whose options were refused.
    _was_started: bool = False
    _is_running: bool = False

    @names_options("FakeBroker")
    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        management_port: int | None = None,
        control: bool = False,
        compatibility: str = "4.3",
        clock: ManualClock | None = None,
        connection_time: Literal["real", "clock"] = "real",
        tls: ssl.SSLContext | None = None,
        certificate_login: Literal["distinguished_name", "common_name"] = "distinguished_name",
        mechanisms: Collection[str] | None = None,
        loopback_users: Collection[str] = ("guest",),
        plugins: Collection[str] = (),
        channel_max: int = 2047,
        frame_max: int = 131_072,
        heartbeat: int = 60,
        max_message_size: int | None = None,
        memory_limit: int | None = 1_073_741_824,
        handshake_timeout: float = 10.0,
        login_pause: float = 3.0,
        closing_timeout: float = 30.0,
        send_timeout: float = 30.0,
        consumer_timeout: int | None = 1_800_000,
        consumer_timeout_check: float = 60.0,
        history: int = 10_000,
        seed: int = 0,
    ) -> None:
        from .clocks.loop_clock import LoopClock
        from .network.server import Server

        profile = profile_named(compatibility)
        check_text("host", host)
        check_integer("seed", seed)
        check_boolean("control", control)
        _check_tls(tls)
        _check_port_number("port", port)
        if management_port is not None:
            _check_port_number("management_port", management_port)
        _check_history(history)
        if clock is not None and not isinstance(clock, ManualClock):
            raise TypeError(f"clock is {clock!r}; expected a ManualClock, or None for real time")
        if certificate_login not in ("distinguished_name", "common_name"):
            raise ValueError(
                f"certificate_login is {certificate_login!r};"
                " expected 'distinguished_name' or 'common_name'"
            )
        limits = Limits(
            channel_max=channel_max,
            frame_max=frame_max,
            heartbeat=heartbeat,
            max_message_size=(
                profile.max_message_size if max_message_size is None else max_message_size
            ),
            memory_limit=memory_limit,
            handshake_timeout=handshake_timeout,
            login_pause=login_pause,
            closing_timeout=closing_timeout,
            send_timeout=send_timeout,
            consumer_timeout=consumer_timeout,
            consumer_timeout_check=consumer_timeout_check,
        )
        loop_clock = LoopClock()
        self._manual_clock = clock
        self._timeline = clock._timeline() if clock else None
        wire_clock = network_clock(connection_time, self._timeline, loop_clock)
        recorder = Recorder(loop_clock.time, limit=history) if history else None
        statistics = None
        if management_port is not None:
            from .management.statistics.statistics import Statistics

            statistics = Statistics(recorder, wire_clock.timestamp)
        self._node = Node(
            profile,
            self._timeline or loop_clock,
            network_clock=wire_clock,
            real_clock=loop_clock,
            limits=limits,
            mechanisms=mechanisms,
            loopback_users=loopback_users,
            plugins=plugins,
            recorder=statistics or recorder,
            history=recorder,
            counts_octets=statistics is not None,
        )
        self._server: Server = Server(
            self._node,
            loop_clock,
            host=host,
            port=port,
            tls=tls,
            certificate_login=certificate_login,
        )
        Restoring.__init__(self)
        self._seed = seed
        self._faults: Faults | None = None
        self._alarm_errors = {}
        self._management = self._create_management(management_port, statistics, control=control)
        self._runnable: Runnable = self._management or self._server
        self._waiters = Waiters(self._server)
        self._thread: ThreadedServer | None = None

    # -- starting and stopping -----------------------------------------------------------------

    def __enter__(self) -> Self:
        from .network.threaded_server import ThreadedServer

        self._begin()
        self._thread = ThreadedServer(self._runnable, self._server.fail_calls)
        self._thread.start()
        self._started()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_thread()
        if error is None:
            self._check_at_end()

    def _stop_thread(self) -> None:
        if self._thread is None:
            raise RuntimeError("the broker does not run in a thread; start it with `with broker:`")
        if self._is_running and self._server.is_current_thread():
            raise RuntimeError(
                "a function that the broker calls cannot stop it; leave the broker's block instead"
            )
        if self._is_running and not self._leave_fork():
            try:
                self._end_in_thread()
            finally:  # each step is taken, whatever the others raise
                self._detach()
                self._thread.stop()

    def _end_in_thread(self) -> None:
        """End faults and waits, once the thread has read what clients have sent.

        What they have sent may call a function of the test, whose error must not be lost. If the
        thread cannot do it, stopping the thread raises the reason.
        """
        has_faults = self._faults is not None
        if not (has_faults or self._server.has_clients or self._waiters.is_waiting):
            return
        try:
            ending = self._server.submit(self._end)
        except RuntimeError:  # an error has ended its event loop
            return
        wait((ending,), _END_TIMEOUT)
        if ending.done():
            ending.result()

    async def __aenter__(self) -> Self:
        self._begin()
        await self._runnable.start()
        self._started()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None or not self._was_started:
            raise RuntimeError(
                "the broker does not run in an event loop; start it with `async with broker:`"
            )
        if self._is_running and not self._leave_fork():
            try:
                if self._server.has_clients:  # as for a thread
                    await self.settle()
            finally:
                try:
                    self._end()
                finally:
                    self._detach()
                    await self._runnable.stop()
        if error is None:
            self._check_at_end()

    def _leave_fork(self) -> bool:
        """Return whether this is a forked process, whose end must not stop the broker of the other."""
        if self._server.is_forked:
            self._is_running = False
        return self._server.is_forked

    def _check_at_end(self) -> None:
        """Raise what clients could not see: requests without an answer, functions that raised."""
        self.check_responders()
        self.check_functions()

    def check_functions(self) -> None:
        """Check that no function of the test has failed, as the end of the broker does.

        Faults and `block` call such functions to choose a connection, a queue or a message. An error
        in one strikes nothing, and must not end the client's connection. A broker in a thread first
        reads what clients have sent.

        Raises:
            AssertionError: One has raised an error that was not raised before, here or by its fault.
        """
        failed = self._call(self._take_function_errors)
        if failed:
            raise AssertionError("\n".join(failed))

    def _take_function_errors(self) -> list[str]:
        """Return the errors of functions that were not raised yet; they are not returned again."""
        errors = [
            *self._alarm_errors,
            *(() if self._faults is None else self._faults._take_errors()),
        ]
        self._alarm_errors.clear()
        return errors

    def _create_management(
        self, port: int | None, statistics: Statistics | None, *, control: bool
    ) -> ManagedServer | None:
        if port is None or statistics is None:
            if control:
                raise ValueError("control is True; expected a management_port as well, such as 0")
            return None
        from .management.managed_server import ManagedServer

        answer = None
        if control:
            from .control.api import ControlApi

            answer = ControlApi(self, lambda: self._server.node).answer
        return ManagedServer(self._server, statistics, port=port, control=answer)

    def _begin(self) -> None:
        if self._was_started:
            raise RuntimeError("a FakeBroker can be started only once; create another one")
        self._was_started = True

    def _started(self) -> None:
        self._is_running = True
        if self._manual_clock and self._timeline:
            self._manual_clock._attach(
                self._timeline, self._call, self._observe, self._server.is_current_thread
            )

    def _end(self) -> None:
        """End faults and waits; called in the broker's thread."""
        try:
            if self._faults is not None:
                self._faults.clear()
        finally:
            self._waiters.fail_all("the broker was stopped during the wait")

    def _detach(self) -> None:
        if self._manual_clock and self._timeline:
            self._manual_clock._detach(self._timeline)
        self._is_running = False

    if not TYPE_CHECKING:  # a type checker would take every attribute for one that exists

        def __getattr__(self, name: str) -> object:
            """Raise AttributeError for an attribute that does not exist; the text names a similar one."""
            raise AttributeError(_describe_missing(name))

    @property
    def faults(self) -> Faults:
        """The faults that a test scripts: ``broker.faults.nack_publishes(times=1)``; see `Faults`."""
        if self._faults is None:
            from .faults.faults import Faults
            from .faults.registry import Registry

            registry = Registry(
                self._node,
                self._server.strike_points,
                call=self._call,
                change=self._change,
                check_running=self._check_running,
                runs_here=lambda: self._is_running and self._server.is_current_thread(),
                await_future=_await_future,
                network=self._server,
                seed=self._seed,
            )
            self._faults = Faults(registry)
        return self._faults

    def _check_running(self) -> None:
        if not self._was_started:
            raise RuntimeError(
                "the broker has not been started; start it first,"
                " with `with broker:` or `async with broker:`"
            )
        self._check_not_stopped()

    def _check_not_stopped(self) -> None:
        if self._was_started and not self._is_running:
            raise RuntimeError(
                "the broker was stopped; call this before its block ends, or use another FakeBroker"
            )

    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread; directly if the broker is not running."""
        return self._server.call(function) if self._is_running else function()

    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Do the same with a function that changes the broker; raise if the broker was stopped."""
        self._check_not_stopped()
        return self._call(function)

    # -- its address ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        if not self._was_started:
            return "<FakeBroker, not started>"
        state = "" if self._is_running else ", not running"
        return f"<FakeBroker {self._scheme}://{self._authority}{state}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a FakeBroker cannot be pickled or copied: it runs in this process only; pass its url"
            " to another process"
        )

    @property
    def _scheme(self) -> str:
        return "amqps" if self._server.uses_tls else "amqp"

    @property
    def _authority(self) -> str:
        return f"{self._bracketed_host}:{self._server.port}"

    @property
    def _bracketed_host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def host(self) -> str:
        """The address that the broker listens on."""
        return self._server.host

    @property
    def port(self) -> int:
        """The port that the broker listens on.

        Raises:
            RuntimeError: The port is 0, and the broker has not been started.
        """
        self._check_port()
        return self._server.port

    def _check_port(self) -> None:
        if not self._server.port:
            raise RuntimeError(
                "the broker has no port before it is started; start it first,"
                " with `with broker:` or `async with broker:`"
            )

    @property
    def management_url(self) -> str:
        """The URL of the management interface, without a path.

        Raises:
            RuntimeError: The broker has no management interface, or has not been started.
        """
        if self._management is None:
            raise RuntimeError(
                "the broker has no management interface; create it with management_port=0"
            )
        self._check_port()
        return f"http://{self._bracketed_host}:{self._management.port}"

    @property
    def url(self) -> str:
        """The URL for the user guest and the virtual host ``/``; see `url_for`.

        Raises:
            RuntimeError: The port is 0, and the broker has not been started.
        """
        return self.url_for()

    def url_for(
        self,
        user: str = "guest",
        password: str | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> str:
        """Return the URL for a user and a virtual host.

        Args:
            user: The user that logs in.
            password: The password; None for the one that the user was added with.
            virtualhost: The virtual host to open.

        Raises:
            LookupError: There is no such user, and no password was given.
            RuntimeError: The port is 0, and the broker has not been started.
        """
        self._check_port()
        if password is None:
            password = self._node.users[user].password or ""  # a forked process may ask, too
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"{self._scheme}://{login}@{self._authority}/{quote(virtualhost, safe='')}"


def _describe_missing(name: str) -> str:
    """Return the text of the error for an attribute that does not exist."""
    from .faults.faults import fault_names

    if name.startswith("_"):
        return f"FakeBroker has no attribute {name!r}"
    own = similar_name(name, [each for each in dir(FakeBroker) if not each.startswith("_")])
    fault = similar_name(name, fault_names())
    meant = " or ".join(filter(None, (own and f"broker.{own}", fault and f"broker.faults.{fault}")))
    hint = f"did you mean {meant}?" if meant else "help(FakeBroker) lists what it has"
    return f"FakeBroker has no attribute {name!r}; {hint}"


async def _await_future(future: Future[None], seconds: float) -> None:
    await asyncio.wait_for(asyncio.wrap_future(future), seconds)


def _check_tls(tls: object) -> None:
    """Check the TLS settings; this does not load `ssl`.

    Raises:
        TypeError: They are no context.
        ValueError: They are a context for clients.
    """
    if tls is not None and not hasattr(tls, "wrap_bio"):
        raise TypeError(f"tls is {tls!r}; expected an ssl.SSLContext, or None for plain TCP")
    if getattr(getattr(tls, "protocol", None), "name", None) == "PROTOCOL_TLS_CLIENT":
        raise ValueError(
            "tls is a context for clients; expected one for servers, with a certificate:"
            " ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) and its load_cert_chain"
        )


def _check_history(history: object) -> None:
    """Check the number of events to keep.

    Raises:
        TypeError: The number is not an integer.
        ValueError: The number is negative.
    """
    expected = "expected an integer from 0 (no history) on"
    if not isinstance(history, int) or isinstance(history, bool):
        raise TypeError(f"history is {history!r}; {expected}")
    if history < 0:
        raise ValueError(f"history is {history!r}; {expected}")


def _check_port_number(name: str, port: object) -> None:
    """Check a port to listen on.

    Raises:
        TypeError: The port is not an integer.
        ValueError: The port is not from 0 to 65535.
    """
    expected = "expected an integer from 0 (a free port) to 65535"
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"{name} is {port!r}; {expected}")
    if not 0 <= port <= 65_535:
        raise ValueError(f"{name} is {port!r}; {expected}")
