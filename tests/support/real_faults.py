"""What the faults of a fake broker imitate, done to a RabbitMQ: by the names and options of `Faults`.

A process of a RabbitMQ that is suspended is slow for ever: its queue confirms and delivers nothing,
its channel executes nothing, its reader reads nothing, and all others go on. So these faults disturb no
client but the test's own. They are runs of rabbitmqctl; each costs half a second.
"""

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.support.operator import SCRIPT

__all__ = ["AtPort", "RealFaults"]


class AtPort:
    """A choice of the connection that a client has from a port, for the option ``connection``."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, connection: Any) -> bool:
        """Return whether a connection of a fake broker is the one."""
        return bool(connection.port == self.port)


class RealFaults:
    """The faults of a RabbitMQ that `.ci/rabbitmq` started.

    Args:
        version: Its release, such as "4.0".
    """

    def __init__(self, version: str) -> None:
        self._version = version

    # --- queues -------------------------------------------------------------------------------

    @contextmanager
    def nack_publishes(self, *, routing_key: str) -> Iterator[None]:
        """Let a queue be full, and refuse publishes."""
        name = f"ammoo-{uuid.uuid4().hex[:8]}"
        definition = json.dumps({"max-length": 0, "overflow": "reject-publish"})
        self._evaluate(
            f'ok = rabbit_policy:parse_set(<<"/">>, <<"{name}">>, <<"^{routing_key}$">>,'
            f' <<{json.dumps(definition)}>>, 0, <<"queues">>, <<"a test">>)'
        )
        try:
            yield
        finally:
            self._evaluate(f'rabbit_policy:delete(<<"/">>, <<"{name}">>, <<"a test">>)')

    def hold_confirms(self, *, routing_key: str) -> AbstractContextManager[None]:
        return self._suspended(_queue(routing_key))

    def reorder_confirms(
        self, *, window: int, routing_key: re.Pattern[str]
    ) -> AbstractContextManager[None]:
        """Let the first queue that is named be slow."""
        first = routing_key.pattern.strip("^()$").partition("|")[0]
        return self._suspended(_queue(first))

    def hold_deliveries(self, *, queue_name: str) -> AbstractContextManager[None]:
        return self._suspended(_queue(queue_name))

    def delay_deliveries(self, *, seconds: float, queue_name: str) -> AbstractContextManager[None]:
        return self._suspended(_queue(queue_name))

    @contextmanager
    def merge_confirms(self, *, count: int, connection: AtPort, routing_key: str) -> Iterator[None]:
        """Let a queue confirm while its publisher's channel is busy with something else."""
        queue, channel = self._suspend(_queue(routing_key)), ""
        try:
            yield
            channel = self._suspend(_channel(connection.port, 1))
        finally:
            self._evaluate(
                f"sys:resume({queue}), gen_server2:call({queue}, {{info, [messages]}}),"
                f" unregister({queue})"
            )
            if channel:
                self._resume(channel)

    # --- channels and connections -------------------------------------------------------------

    def delay_method(
        self, method: str, *, seconds: float, connection: AtPort, channel_number: int
    ) -> AbstractContextManager[None]:
        return self._suspended(_channel(connection.port, channel_number))

    def stop_reading(self, *, connection: AtPort) -> AbstractContextManager[None]:
        return self._suspended(_reader(connection.port))

    @contextmanager
    def close_connections(
        self, code: int, text: str, *, method: str, connection: AtPort
    ) -> Iterator[None]:
        """Close a connection as an operator does."""
        find = _reader(connection.port)
        self._evaluate(f'{find}, rabbit_networking:close_connection(P, "{text}")')
        yield

    @contextmanager
    def cut(self, *, reset: bool, towards: str, connection: AtPort) -> Iterator[None]:
        """Kill the process that reads from a connection."""
        self._evaluate(f"{_reader(connection.port)}, exit(P, kill)")
        yield

    @contextmanager
    def fail_method(self, method: str, code: int, text: str) -> Iterator[None]:
        """Do nothing: the test asks for what RabbitMQ refuses."""
        yield

    # --- logins -------------------------------------------------------------------------------

    @contextmanager
    def fail_logins(self, *, user: str) -> Iterator[None]:
        """Change the user's password."""
        self._evaluate(
            f'rabbit_auth_backend_internal:change_password(<<"{user}">>, <<"new">>, <<"a test">>)'
        )
        yield

    @contextmanager
    def expire_credentials(self, user: str) -> Iterator[None]:
        """Tell each connection of the user what its timer says when a token of OAuth 2 expires."""
        self._evaluate(
            "[C ! credential_expired || C <- rabbit_networking:connections(),"
            f' (catch rabbit_reader:info(C, [user])) =:= [{{user, <<"{user}">>}}]]'
        )
        yield

    # --- processes ----------------------------------------------------------------------------

    @contextmanager
    def _suspended(self, find: str) -> Iterator[None]:
        name = self._suspend(find)
        try:
            yield
        finally:
            self._resume(name)

    def _suspend(self, find: str) -> str:
        """Suspend a process; return the name by which it can be resumed."""
        name = f"ammoo_{uuid.uuid4().hex[:8]}"
        self._evaluate(f"{find}, register({name}, P), sys:suspend({name})")
        return name

    def _resume(self, name: str) -> None:
        self._evaluate(f"sys:resume({name}), unregister({name})")

    def _evaluate(self, erlang: str) -> str:
        command = [str(SCRIPT), "ctl", self._version, "eval", f"{erlang}."]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _queue(name: str) -> str:
    """Return the Erlang that finds the process of a queue, and calls it P."""
    return (
        f'{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{name}">>)),'
        " P = amqqueue:get_pid(Q)"
    )


def _reader(port: int) -> str:
    """Return the Erlang that finds the process of a connection, and calls it P."""
    return (
        "[P] = [C || C <- rabbit_networking:connections(),"
        f" (catch rabbit_reader:info(C, [peer_port])) =:= [{{peer_port, {port}}}]]"
    )


def _channel(port: int, number: int) -> str:
    """Return the Erlang that finds the process of a channel, and calls it P."""
    reader = _reader(port).replace("[P]", "[R]")
    return (
        f"{reader}, [P] = [X || X <- rabbit_channel:list(), (catch rabbit_channel:info(X,"
        f" [connection, number])) =:= [{{connection, R}}, {{number, {number}}}]]"
    )
