"""A real RabbitMQ in place of a fake one: the methods of `FakeBroker` over the management API.

Each test has its own virtual host, which replaces the default one. Operations that only a fake broker
has (its clock, faults, history) call a function of the plugin, which skips the test. RabbitMQ's
statistics are seconds old. Therefore `messages` gets the messages and puts them back, which marks
them as redelivered.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from urllib.parse import quote, urlsplit

from ammoo_wire import BasicHeaderProperties

from ..broker import FakeBroker
from ..predicates import result_of
from ..snapshots import ConnectionSnapshot, MessageSnapshot, QueueSnapshot
from .management_client import ManagementClient, ManagementError
from .real_setup import RealSetUp

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

__all__ = ["RealBroker"]

_Result = TypeVar("_Result")

_PAUSE = 0.05
"""Seconds between two requests of a wait."""
_MOST = 10_000
_LATE = 5.0
"""Seconds that RabbitMQ's lists of connections and consumers may be late."""
_DEFAULT_VIRTUALHOST = "/"


class RealBroker(RealSetUp):
    """A virtual host of a real RabbitMQ, with methods of `FakeBroker`.

    Args:
        url: The AMQP URL of the broker, with the name and password of an administrator.
        management_url: The URL of its management API; None for port 15672 of the same host.
        virtualhost: The virtual host, which is created, and deleted in the end.
        unavailable: Skips or fails the test; called with the name of the operation.
    """

    def __init__(
        self,
        url: str,
        management_url: str | None,
        virtualhost: str,
        unavailable: Callable[[str], NoReturn],
    ) -> None:
        self._parts = urlsplit(url)
        user, password = self._parts.username or "guest", self._parts.password or "guest"
        self._management_url = management_url or f"http://{self.host}:15672"
        self._api = ManagementClient(self._management_url, user, password)
        self._user = user
        self._passwords: dict[str, str | None] = {user: password}
        self._virtualhost = virtualhost
        self._unavailable = unavailable

    def __repr__(self) -> str:
        return f"<RabbitMQ {self._address}, virtual host {self._virtualhost!r}>"

    @property
    def _address(self) -> str:
        return f"{self._parts.scheme}://{self._parts.hostname}:{self.port}"

    def __enter__(self) -> Self:
        self._api.put(("vhosts", self._virtualhost), {})
        self.set_permissions(self._user)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._api.delete(("vhosts", self._virtualhost))

    def __getattr__(self, name: str) -> Any:
        """Refuse an operation that only a fake broker has."""
        if name.startswith("_") or not hasattr(FakeBroker, name):
            raise AttributeError(f"FakeBroker has no attribute {name!r}")
        if name == "faults":
            return _Unavailable(self._refuse, "faults.")
        if isinstance(getattr(FakeBroker, name), property):
            self._refuse(name)
        return lambda *_, **__: self._refuse(f"{name}()")

    def _refuse(self, what: str) -> NoReturn:
        self._unavailable(f"{what} cannot be done to {self._address}")

    # -- its address ---------------------------------------------------------------------------

    @property
    def host(self) -> str:
        """The host of the broker."""
        return self._parts.hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """The port of the broker."""
        return self._parts.port or (5671 if self._parts.scheme == "amqps" else 5672)

    def check_management(self) -> None:
        """Check that the management API is that of the broker, and not of another one.

        Raises:
            ManagementError: No listener of its broker has the port of the AMQP URL.
        """
        ports = {
            listener["port"]
            for listener in self._api.get(("overview",)).get("listeners", ())
            if listener["protocol"].startswith("amqp")
        }
        if ports and self.port not in ports:
            raise ManagementError(
                f"the management API at {self._management_url} is of a broker that listens on"
                f" {', '.join(map(str, sorted(ports)))}, not on {self.port}: give the one of"
                f" {self._address} as --fakebroker-management-url",
                None,
            )

    @property
    def version(self) -> str:
        """The version of RabbitMQ."""
        return str(self._api.get(("overview",))["rabbitmq_version"])

    @property
    def url(self) -> str:
        """The URL for the virtual host of this test."""
        return self.url_for(self._user)

    def url_for(
        self,
        user: str = "guest",
        password: str | None = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> str:
        """Return the URL for a user and a virtual host, as `FakeBroker.url_for` does."""
        secret = self._passwords.get(user) if password is None else password
        login = f"{quote(user, safe='')}:{quote(secret or '', safe='')}"
        home = quote(self._home(virtualhost), safe="")
        return f"{self._parts.scheme}://{login}@{self.host}:{self.port}/{home}"

    def _home(self, virtualhost: str) -> str:
        """Return the real name of a virtual host: the test's if it is the default one."""
        return self._virtualhost if virtualhost == _DEFAULT_VIRTUALHOST else virtualhost

    # -- looking -------------------------------------------------------------------------------

    @property
    def connections(self) -> tuple[ConnectionSnapshot, ...]:
        """The open connections to the virtual host of this test."""
        listed = self._api.get(("vhosts", self._virtualhost, "connections"))
        return tuple(_connection(each) for each in listed if each.get("user"))

    def queues(self, virtualhost: str = _DEFAULT_VIRTUALHOST) -> dict[str, QueueSnapshot]:
        """Return all queues of a virtual host by name."""
        listed = self._api.get(("queues", self._home(virtualhost)))
        return {each["name"]: self._queue(each) for each in listed}

    def queue(self, name: str, virtualhost: str = _DEFAULT_VIRTUALHOST) -> QueueSnapshot:
        """Return a queue.

        Raises:
            LookupError: There is no such queue.
        """
        return self._queue(self._found(("queues", self._home(virtualhost), name)))

    def _queue(self, listed: Mapping[str, Any]) -> QueueSnapshot:
        name, home = listed["name"], listed["vhost"]
        consumers = self._api.get(("consumers", home))
        return QueueSnapshot(
            name,
            listed.get("type", "classic"),
            listed["durable"],
            listed["exclusive"],
            listed["auto_delete"],
            listed["arguments"],
            len(self._messages(home, name, _MOST)),
            listed.get("messages_unacknowledged", 0),
            sum(each["queue"]["name"] == name for each in consumers),
            (),
        )

    def messages(
        self,
        queue_name: str,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
        *,
        including_unacknowledged: bool = False,
    ) -> list[MessageSnapshot]:
        """Return the messages that are ready in a queue; get them and put them back."""
        if including_unacknowledged:
            self._refuse("messages(including_unacknowledged=True)")
        home = self._home(virtualhost)
        self._found(("queues", home, queue_name))
        return self._messages(home, queue_name, _MOST)

    def _messages(self, home: str, queue_name: str, count: int) -> list[MessageSnapshot]:
        got = self._api.post(
            ("queues", home, queue_name, "get"),
            {"count": count, "ackmode": "ack_requeue_true", "encoding": "base64"},
        )
        return [_message(each) for each in got]

    def _found(self, path: tuple[str, ...]) -> Any:
        try:
            return self._api.get(path)
        except ManagementError as error:
            if error.status == 404:
                raise LookupError(f"{self._address} has no {' / '.join(path)}") from None
            raise

    # -- waiting -------------------------------------------------------------------------------

    def wait_until(self, function: Callable[[Any], _Result], *, timeout: float = 5.0) -> _Result:
        """Call a function with this broker repeatedly until it returns something true."""
        __tracebackhide__ = True
        return self._wait(function, timeout, _describe_result)

    def _wait(
        self, function: Callable[[Any], _Result], timeout: float, explain: Callable[[object], str]
    ) -> _Result:
        """Wait as `wait_until` does.

        Args:
            function: The function.
            timeout: How long to wait at most, in seconds.
            explain: Returns what was wrong, from the last result or LookupError of the function.
        """
        __tracebackhide__ = True
        deadline = time.monotonic() + timeout
        while True:
            last: object = None
            try:
                last = result = result_of(function, self)
                if result:
                    return result
            except LookupError as error:
                last = error
            if time.monotonic() >= deadline:
                raise AssertionError(f"after {timeout:g} s {explain(last)}, on {self!r}")
            time.sleep(_PAUSE)

    def wait_for_messages(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,
    ) -> list[MessageSnapshot]:
        """Wait until at least so many messages are ready in a queue."""
        __tracebackhide__ = True

        def enough(_: object) -> list[MessageSnapshot] | None:
            messages = self.messages(queue_name, virtualhost)
            return messages if len(messages) >= count else None

        def explain(last: object) -> str:
            if isinstance(last, LookupError):
                return f"there was no queue {queue_name!r}"
            return f"queue {queue_name!r} had fewer than {count} ready messages"

        return self._wait(enough, timeout, explain) or []

    def wait_for_consumers(
        self,
        queue_name: str,
        count: int = 1,
        *,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
        timeout: float = 5.0,
    ) -> QueueSnapshot:
        """Wait until a queue has at least so many consumers; RabbitMQ lists them late."""
        __tracebackhide__ = True
        self.wait_until(
            lambda _: self.queue(queue_name, virtualhost).consumer_count >= count,
            timeout=timeout + _LATE,
        )
        return self.queue(queue_name, virtualhost)

    def wait_for_connections(
        self, count: int = 1, *, timeout: float = 5.0
    ) -> tuple[ConnectionSnapshot, ...]:
        """Wait until at least so many connections are open; RabbitMQ lists them late."""
        __tracebackhide__ = True
        self.wait_until(lambda _: len(self.connections) >= count, timeout=timeout + _LATE)
        return self.connections

    async def wait_for_messages_async(self, *args: Any, **options: Any) -> list[MessageSnapshot]:
        """Wait as `wait_for_messages` does, without blocking the event loop."""
        return await asyncio.to_thread(self.wait_for_messages, *args, **options)

    async def wait_for_consumers_async(self, *args: Any, **options: Any) -> QueueSnapshot:
        """Wait as `wait_for_consumers` does, without blocking the event loop."""
        return await asyncio.to_thread(self.wait_for_consumers, *args, **options)

    async def wait_for_connections_async(
        self, *args: Any, **options: Any
    ) -> tuple[ConnectionSnapshot, ...]:
        """Wait as `wait_for_connections` does, without blocking the event loop."""
        return await asyncio.to_thread(self.wait_for_connections, *args, **options)

    async def wait_until_async(self, *args: Any, **options: Any) -> Any:
        """Wait as `wait_until` does, without blocking the event loop."""
        return await asyncio.to_thread(self.wait_until, *args, **options)

    async def settle(self) -> None:
        """Let clients of this event loop write; to see the effect on RabbitMQ, use a wait."""
        await asyncio.sleep(_PAUSE)

    # -- administration ------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str | None,
        *,
        virtualhosts: Collection[str] = (_DEFAULT_VIRTUALHOST,),
        tags: Collection[str] | None = None,
    ) -> None:
        """Add a user, as `FakeBroker.add_user` does."""
        self._api.put(("users", name), {"password": password or "", "tags": ",".join(tags or ())})
        self._passwords[name] = password
        for virtualhost in virtualhosts:
            self.set_permissions(name, virtualhost=virtualhost)

    def delete_user(self, name: str) -> None:
        """Delete a user."""
        self._api.delete(("users", name))

    def set_permissions(
        self,
        user: str,
        *,
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Set the permissions of a user in a virtual host."""
        permissions = {"configure": configure, "write": write, "read": read}
        self._api.put(("permissions", self._home(virtualhost), user), permissions)

    def set_policy(
        self,
        name: str,
        pattern: str,
        definition: Mapping[str, Any],
        *,
        priority: int = 0,
        apply_to: str = "all",
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Set a policy, as `FakeBroker.set_policy` does."""
        policy = {
            "pattern": pattern,
            "definition": dict(definition),
            "priority": priority,
            "apply-to": apply_to,
        }
        self._api.put(("policies", self._home(virtualhost), name), policy)

    def clear_policy(self, name: str, *, virtualhost: str = _DEFAULT_VIRTUALHOST) -> None:
        """Remove a policy."""
        self._api.delete(("policies", self._home(virtualhost), name))

    def close_connections(
        self, reason: str = "closed by the test", *, connection: object = None
    ) -> None:
        """Close the connections to the virtual host of this test as an operator does."""
        if connection is not None:
            self._refuse(f"close_connections(connection={connection!r})")
        for each in self.connections:
            self._api.delete(("connections", each.name), {"X-Reason": reason})


def _describe_result(last: object) -> str:
    verb = "raised" if isinstance(last, LookupError) else "returned"
    return f"the function still {verb} {last!r}"


class _Unavailable:
    """Replaces `FakeBroker.faults`: refuses each method."""

    def __init__(self, refuse: Callable[[str], NoReturn], prefix: str) -> None:
        self._refuse = refuse
        self._prefix = prefix

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        return lambda *_, **__: self._refuse(f"{self._prefix}{name}()")


def _connection(listed: Mapping[str, Any]) -> ConnectionSnapshot:
    return ConnectionSnapshot(
        listed["user"],
        listed["vhost"],
        listed.get("peer_host", ""),
        listed.get("peer_port", 0),
        listed.get("client_properties", {}),
        listed.get("channels", 0),
        listed.get("state") in ("blocked", "blocking"),
        listed["name"],
    )


def _message(got: Mapping[str, Any]) -> MessageSnapshot:
    properties = dict(got["properties"] or {})
    if "type" in properties:
        properties["type_"] = properties.pop("type")
    if "timestamp" in properties:
        properties["timestamp"] = datetime.fromtimestamp(properties["timestamp"], UTC)
    return MessageSnapshot(
        got["exchange"],
        got["routing_key"],
        BasicHeaderProperties(**properties),
        base64.b64decode(got["payload"]),
        got["redelivered"],
    )
