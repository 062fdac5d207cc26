"""The faults in force, newest first, and the strike points that ask them.

A strike point is a function while it has a fault in force, and None otherwise. If several faults
match an occasion, only the newest strikes it; but delays add up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from ..blocked_loops import hint_at_blocked_loop
from ..connections.channel import Channel
from ..connections.connection import Connection
from .confirms import ConfirmFault, Kept
from .connections import ConnectionFault, RefuseConnections
from .deliveries import DeliveryFault
from .fault import Fault
from .logins import LoginFault
from .methods import DelayMethod, MethodFault
from .occasions import (
    DeliveryOccasion,
    MethodOccasion,
    Occasion,
    PublishOccasion,
)
from .publishes import DuplicateDeliveries, PublishFault

if TYPE_CHECKING:
    from ammoo_wire import Command

    from ..connections.strike_points import StrikePoints
    from ..messages.message import Message, QueuedMessage
    from ..node.node import Node
    from ..queues.consumers import Consumer
    from ..queues.queue import Queue
    from .ports import FaultyClient, FaultyNetwork

__all__ = ["Registry"]

_Result = TypeVar("_Result")
_FaultT = TypeVar("_FaultT", bound=Fault)


class Registry:
    """The faults of one broker: it makes them, asks them, and ends them.

    Args:
        node: The broker's node.
        points: The strike points of all its connections.
        call: Calls a function in the broker's thread.
        change: Does so with a function that changes the broker, unless the broker was stopped.
        check_running: Raises a RuntimeError if the broker does not run.
        runs_here: Returns whether this is the broker's thread.
        await_future: Awaits a future in the running event loop, for so many seconds.
        network: The server, which listens and holds the sockets.
        seed: The seed of the random numbers of all faults.

    Attributes:
        active: The faults in force, newest first.
    """

    def __init__(
        self,
        node: Node,
        points: StrikePoints,
        *,
        call: Callable[[Callable[[], Any]], Any],
        change: Callable[[Callable[[], Any]], Any],
        check_running: Callable[[], None],
        runs_here: Callable[[], bool],
        await_future: Callable[[Future[None], float], Awaitable[None]],
        network: FaultyNetwork,
        seed: int,
    ) -> None:
        self.node = node
        self.active: list[Fault] = []
        self.failures: list[Fault] = []
        self._points = points
        self._call = call
        self._change = change
        self._check_running = check_running
        self._runs_here = runs_here
        self._await_future = await_future
        self._network = network
        self._waiters: dict[Future[None], Callable[[], bool]] = {}
        self._seed = seed
        self._ordinal = 0
        self._unstruck: object = None

    def begin(self, kind: type[_FaultT], options: Mapping[str, Any]) -> _FaultT:
        """Make a fault, and put it in force."""

        def begin() -> _FaultT:
            fault = kind(self, self._ordinal + 1, self._seed, options)
            self._ordinal += 1
            self.active.insert(0, fault)
            self._install()
            fault._begin()
            return fault

        made: _FaultT = self._change(begin)
        return made

    # -- what faults ask -----------------------------------------------------------------------

    def call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""
        result: _Result = self._call(function)
        return result

    def clients(self) -> list[FaultyClient]:
        """Return the clients whose sockets are open."""
        return list(self._network.clients)

    def stop_listening(self) -> None:
        """Refuse clients, and keep the port."""
        self._network.refuses_connections = True

    def listen(self) -> None:
        """Accept clients again, unless another fault refuses them."""
        self._network.refuses_connections = any(
            fault.stops_listening for fault in self._of(RefuseConnections)
        )

    def open_connections(self) -> list[Connection]:
        """Return the connections that are open."""
        return [
            connection
            for connection in self.node.connections
            if isinstance(connection, Connection) and connection.is_open
        ]

    def wait_until(
        self, function: Callable[[], bool], timeout: float, failure: Callable[[], str]
    ) -> None:
        """Wait until a function is true; it is called in the broker's thread after each strike.

        Raises:
            AssertionError: It was not true in time; `failure` returns the text.
            RuntimeError: The caller runs in the broker's thread, which the wait would block; or the
                broker does not run.
        """
        __tracebackhide__ = True
        if self._runs_here():
            raise RuntimeError("the broker runs in this event loop: await wait_async() instead")
        done: Future[None] = Future()
        self.call(lambda: self._add_waiter(done, function))
        try:
            self._check_possible(done)
            done.result(timeout)
        except TimeoutError:
            raise AssertionError(self.call(failure) + hint_at_blocked_loop("wait")) from None
        finally:
            self.call(lambda: self._waiters.pop(done, None))

    async def wait_until_async(
        self, function: Callable[[], bool], seconds: float, failure: Callable[[], str]
    ) -> None:
        """Do the same without stopping the event loop.

        Raises:
            AssertionError: It was not true in time; `failure` returns the text.
        """
        __tracebackhide__ = True
        done: Future[None] = Future()
        self.call(lambda: self._add_waiter(done, function))
        try:
            self._check_possible(done)
            await self._await_future(done, seconds)
        except TimeoutError:
            raise AssertionError(self.call(failure)) from None
        finally:
            self.call(lambda: self._waiters.pop(done, None))

    def _check_possible(self, done: Future[None]) -> None:
        """Check that what a wait waits for can happen, or has happened.

        Raises:
            RuntimeError: The broker does not run.
        """
        if not done.done():
            self._check_running()

    def _add_waiter(self, done: Future[None], function: Callable[[], bool]) -> None:
        self._waiters[done] = function
        self._wake_waiters()

    def _wake_waiters(self) -> None:
        for done, function in list(self._waiters.items()):
            if not done.done() and function():
                done.set_result(None)

    def struck(self, fault: Fault, occasion: Occasion) -> None:
        """Record that a fault struck."""
        self._wake_waiters()
        if self.node.recorder is not None:
            self.node.recorder.record(
                "fault_struck",
                channel=occasion.channel,
                connection=occasion.client,
                message=occasion.published,
                fault=fault.describe(),
                fault_number=fault.ordinal,
            )

    def failed(self, fault: Fault) -> None:
        """Record that a function of a fault has raised an error; a wait for the fault fails now."""
        self.failures.append(fault)
        self._wake_waiters()

    def end(self, fault: Fault) -> None:
        """End a fault, in the broker's thread."""
        self.active.remove(fault)
        self._install()
        self._wake_waiters()  # a wait for this fault fails now

    def deliver_unstruck(self, consumer: Consumer, queued: QueuedMessage) -> None:
        """Deliver a message that a fault has kept; no fault strikes it again."""
        self._unstruck = queued
        consumer.deliver(queued)
        self._unstruck = None

    def execute_unstruck(self, connection: Connection, command: Command) -> None:
        """Execute a command that a fault has kept; no fault strikes it again."""
        self._unstruck = command
        connection.execute_late((command,))
        self._unstruck = None

    # -- the strike points ---------------------------------------------------------------------

    def _of(self, kind: type[_FaultT]) -> list[_FaultT]:
        return [fault for fault in self.active if isinstance(fault, kind)]

    def _install(self) -> None:
        """Set each strike point to a function that asks its faults; to None if it has none."""
        self._logins = self._of(LoginFault)
        self._methods = self._of(MethodFault)
        self._delays = self._of(DelayMethod)
        self._publishes = self._of(PublishFault)
        self._copies = self._of(DuplicateDeliveries)
        self._confirms = self._of(ConfirmFault)
        self._deliveries = self._of(DeliveryFault)
        self._at_accept = [each for each in self._of(ConnectionFault) if each._strikes_at_accept]
        self._at_opening = [
            each for each in self._of(ConnectionFault) if not each._strikes_at_accept
        ]
        points = self._points
        points.accept = self._strike_client if self._at_accept else None
        points.opened = self._strike_opened if self._at_opening else None
        points.login = self._strike_login if self._logins else None
        points.method = self._strike_method if self._methods else None
        points.publish = self._strike_publish if self._publishes else None
        points.copy = self._copy if self._copies else None
        points.confirm = self._strike_confirm if self._confirms else None
        points.deliver = self._strike_delivery if self._deliveries else None

    def _strike_client(self, client: object) -> None:
        for each in self._network.clients:
            if each is client:
                for fault in list(self._at_accept):
                    fault._offer(each, is_new=True)

    def _strike_opened(self, connection: object) -> None:
        for each in self._network.clients:
            if each.connection is connection:
                for fault in list(self._at_opening):
                    fault._offer(each, is_new=False)

    def _strike_login(self, connection: object, mechanism: str) -> str | None:
        assert isinstance(connection, Connection)
        occasion = Occasion(connection)
        for fault in self._logins:
            if fault._takes(occasion):
                return fault.refusal(mechanism)
        return None

    def _strike_method(self, connection: object, command: Command) -> bool:
        assert isinstance(connection, Connection)
        if command is self._unstruck:
            return False
        if any(fault.is_waiting(connection, command) for fault in self._delays):
            return True
        occasion = MethodOccasion(connection, command)
        delaying: DelayMethod | None = None
        seconds = 0.0
        for fault in self._methods:
            if fault._takes(occasion):
                if not isinstance(fault, DelayMethod):
                    fault.execute(connection, command)
                    return True
                delaying = delaying or fault
                seconds += fault._seconds
        if delaying is not None:
            delaying.delay(connection, command, seconds)
        return delaying is not None

    def _strike_publish(self, channel: object, message: Message, mandatory: bool) -> bool:
        occasion = _publish_on(channel, message)
        for fault in self._publishes:
            if fault._takes(occasion):
                if self.node.recorder is not None:
                    self.node.recorder.published(occasion.channel, message, ())
                fault.publish(occasion.channel, message, mandatory=mandatory)
                return True
        return False

    def _copy(self, channel: object, message: Message, queues: Collection[Queue]) -> None:
        if not queues:
            return
        occasion = _publish_on(channel, message, queues)
        for fault in self._copies:
            if fault._takes(occasion):
                fault.copy(message, queues)
                return

    def _strike_confirm(
        self, channel: object, message: Message, sequence_number: int, accepted: bool
    ) -> bool:
        occasion = _publish_on(channel, message)
        for fault in self._confirms:
            if fault._takes(occasion):
                fault._confirm(Kept(occasion.channel, message, sequence_number, accepted))
                return True
        return False

    def _strike_delivery(self, consumer: Consumer, queued: QueuedMessage) -> bool:
        channel = consumer.channel
        if queued is self._unstruck:
            return False
        assert isinstance(channel, Channel)
        assert isinstance(channel.connection, Connection)
        occasion = DeliveryOccasion(consumer, queued, channel.connection, channel)
        delaying: DeliveryFault | None = None
        seconds = 0.0
        for fault in self._deliveries:
            if fault._takes(occasion):
                if not fault._seconds:
                    fault._keep(channel, consumer, queued)
                    return True
                delaying = delaying or fault
                seconds += fault._seconds
        if delaying is not None:
            delaying._keep_for(channel, consumer, queued, seconds)
        return delaying is not None


def _publish_on(
    channel: object, message: Message, queues: Collection[Queue] = ()
) -> PublishOccasion:
    assert isinstance(channel, Channel)
    assert isinstance(channel.connection, Connection)
    return PublishOccasion(channel, message, channel.connection, queues)
