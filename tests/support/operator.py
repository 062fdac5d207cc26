"""What an operator does to a broker from outside of AMQP: alarms, limits, policies, closed connections.

On the fake broker these are calls. On a RabbitMQ they are runs of rabbitmqctl, which only a
broker of `.ci/rabbitmq` can be reached by; each costs half a second.
"""

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.queues import dead_letter_worker, stream
from tests.support.brokers import PASSWORD
from tests.support.channel import as_arguments

SCRIPT = Path(__file__).parents[2] / ".ci" / "rabbitmq"


class Policy(NamedTuple):
    """A policy, or an operator policy, as an operator sets it."""

    pattern: str
    definition: dict[str, Any]
    priority: int = 0
    apply_to: str = "all"
    by_operator: bool = False


class Reached(Protocol):
    """What a connection of a client's is found by."""

    @property
    def local_port(self) -> int:
        """The port of its socket."""
        ...


class Operator(Protocol):
    """Somebody with power over a broker."""

    def raise_alarm(self, *, memory: bool = True, disk: bool = False) -> None:
        """Make the broker run low on memory, and on disk space as well (or alone) if asked for."""

    def clear_alarm(self) -> None:
        """Give the broker its memory and its disk space back."""

    def consumer_timeout(self, milliseconds: int) -> AbstractContextManager[None]:
        """Have whoever opens a channel meanwhile settle deliveries in this time."""

    def frequent_checks(self) -> AbstractContextManager[None]:
        """Have the channels that are opened meanwhile looked at all the time."""

    def frequent_retention(self) -> AbstractContextManager[None]:
        """Have streams that are published to meanwhile look for old segments all the time."""

    def frequent_dead_letters(self) -> AbstractContextManager[None]:
        """Have queues that are declared meanwhile try all the time to be rid of dead letters."""

    def close_connection(self, peer: Reached, reason: str) -> None:
        """Close a client's connection."""

    def close_connections(self, virtualhost: str, reason: str) -> None:
        """Close all connections to a virtual host."""

    def add_tenant(self, name: str) -> None:
        """Make a user and a virtual host, both of this name; the user may do everything in it."""

    def grant(self, name: str, *, read: str = ".*") -> None:
        """Let a tenant do everything in its virtual host again, or read less there."""

    def clear_permissions(self, name: str) -> None:
        """Let a tenant do nothing any more in its virtual host."""

    def change_password(self, name: str, password: str) -> None:
        """Give a tenant another password."""

    def tag(self, name: str, *tags: str) -> None:
        """Give a tenant these tags and no others."""

    def limit_topics(self, name: str, exchange: str, *, write: str, read: str) -> None:
        """Limit the routing keys that a tenant may use with an exchange of its virtual host."""

    def delete_user(self, name: str) -> None:
        """Delete a tenant's user."""

    def delete_virtualhost(self, name: str) -> None:
        """Delete a tenant's virtual host, and all that is in it."""

    def forget_tenant(self, name: str) -> None:
        """Delete what is left of a tenant."""

    def virtualhost(self, *, default_queue_type: str = "") -> AbstractContextManager[str]:
        """Have a virtual host of one's own for a while, and give its name."""

    def user(self) -> AbstractContextManager[str]:
        """Have somebody who may do everything in the virtual host `/`, and give the name."""

    def limit_virtualhost(self, name: str, **limits: int) -> None:
        """Limit ``max_connections`` or ``max_queues``."""

    def limit_user(self, name: str, **limits: int) -> None:
        """Limit ``max_connections`` or ``max_channels``."""

    def policies(self, *policies: Policy) -> AbstractContextManager[None]:
        """Have these policies for a while."""

    def takes(self, *policies: Policy) -> list[bool]:
        """Tell of each policy whether it is one, and have none of them."""

    def sees(self, words: str) -> bool:
        """Whether some client has told these words of itself."""

    def channel_max(self, number: int) -> AbstractContextManager[None]:
        """Have the broker propose so few channels to who connects meanwhile."""


class FakeOperator:
    """The operator of a fake broker."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    def raise_alarm(self, *, memory: bool = True, disk: bool = False) -> None:
        if memory:
            self._broker.block("low on memory")
        if disk:
            self._broker.block("low on disk")

    def clear_alarm(self) -> None:
        self._broker.unblock()

    def close_connection(self, peer: Reached, reason: str) -> None:
        (name,) = [each.name for each in self._broker.connections if each.port == peer.local_port]
        self._broker.close_connection(name, reason)

    def close_connections(self, virtualhost: str, reason: str) -> None:
        self._broker.close_connections(reason)

    def add_tenant(self, name: str) -> None:
        self._broker.add_user(name, PASSWORD, virtualhosts=())
        self._broker.add_virtualhost(name, users=[name])

    def grant(self, name: str, *, read: str = ".*") -> None:
        self._broker.set_permissions(name, read=read, virtualhost=name)

    def clear_permissions(self, name: str) -> None:
        self._broker.clear_permissions(name, virtualhost=name)

    def change_password(self, name: str, password: str) -> None:
        self._broker.add_user(name, password, virtualhosts=())

    def tag(self, name: str, *tags: str) -> None:
        self._broker.set_user_tags(name, *tags)

    def limit_topics(self, name: str, exchange: str, *, write: str, read: str) -> None:
        self._broker.set_topic_permissions(name, exchange, write=write, read=read, virtualhost=name)

    def delete_user(self, name: str) -> None:
        self._broker.delete_user(name)

    def delete_virtualhost(self, name: str) -> None:
        self._broker.delete_virtualhost(name)

    def forget_tenant(self, name: str) -> None:
        pass  # it goes with the broker

    @contextmanager
    def virtualhost(self, *, default_queue_type: str = "") -> Iterator[str]:
        self._broker.add_virtualhost("own", default_queue_type=default_queue_type or None)
        yield "own"
        self._broker.delete_virtualhost("own")

    @contextmanager
    def user(self) -> Iterator[str]:
        self._broker.add_user("somebody", PASSWORD)
        yield "somebody"
        self._broker.delete_user("somebody")

    def limit_virtualhost(self, name: str, **limits: int) -> None:
        self._broker.set_virtualhost_limits(name, **limits)

    def limit_user(self, name: str, **limits: int) -> None:
        self._broker.set_user_limits(name, **limits)

    @contextmanager
    def policies(self, *policies: Policy) -> Iterator[None]:
        for number, policy in enumerate(policies):
            self._set_policy(str(number), policy)
        yield
        for number, policy in enumerate(policies):
            self._clear_policy(str(number), policy)

    def takes(self, *policies: Policy) -> list[bool]:
        return [self._takes(policy) for policy in policies]

    def _takes(self, policy: Policy) -> bool:
        try:
            self._set_policy("tried", policy)
        except ValueError:
            return False
        self._clear_policy("tried", policy)
        return True

    def _set_policy(self, name: str, policy: Policy) -> None:
        broker = self._broker
        put = broker.set_operator_policy if policy.by_operator else broker.set_policy
        put(
            name,
            policy.pattern,
            policy.definition,
            priority=policy.priority,
            apply_to=policy.apply_to,
        )

    def _clear_policy(self, name: str, policy: Policy) -> None:
        broker = self._broker
        (broker.clear_operator_policy if policy.by_operator else broker.clear_policy)(name)

    def sees(self, words: str) -> bool:
        return any(words in str(each.client_properties) for each in self._broker.connections)

    @contextmanager
    def consumer_timeout(self, milliseconds: int) -> Iterator[None]:
        limits = self._broker._node.limits
        limits.consumer_timeout, usual = milliseconds, limits.consumer_timeout
        with self.frequent_checks():
            yield
        limits.consumer_timeout = usual

    @contextmanager
    def frequent_checks(self) -> Iterator[None]:
        limits = self._broker._node.limits
        limits.consumer_timeout_check, usual = 0.05, limits.consumer_timeout_check
        yield
        limits.consumer_timeout_check = usual

    @contextmanager
    def frequent_dead_letters(self) -> Iterator[None]:
        dead_letter_worker.RETRY, usual = 0.05, dead_letter_worker.RETRY
        try:
            yield
        finally:
            dead_letter_worker.RETRY = usual

    @contextmanager
    def frequent_retention(self) -> Iterator[None]:
        stream.AGE_CHECK, usual = 0.05, stream.AGE_CHECK
        try:
            yield
        finally:
            stream.AGE_CHECK = usual

    @contextmanager
    def channel_max(self, number: int) -> Iterator[None]:
        limits = self._broker._node.limits
        limits.channel_max, usual = number, limits.channel_max
        try:
            yield
        finally:
            limits.channel_max = usual


class RabbitmqOperator:
    """The operator of a RabbitMQ that `.ci/rabbitmq` started."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._is_short_of_memory = False
        self._is_short_of_disk = False

    def raise_alarm(self, *, memory: bool = True, disk: bool = False) -> None:
        if disk:
            self._is_short_of_disk = True
            self._run("set_disk_free_limit", "1000000GB")
        if memory:
            self._is_short_of_memory = True
            self._run("set_vm_memory_high_watermark", "0.000001")

    def clear_alarm(self) -> None:
        if self._is_short_of_disk:
            self._run("set_disk_free_limit", "50MB")
            self._is_short_of_disk = False
        if self._is_short_of_memory:
            self._run("set_vm_memory_high_watermark", "0.6")
            self._is_short_of_memory = False

    def consumer_timeout(self, milliseconds: int) -> AbstractContextManager[None]:
        return self._settings(consumer_timeout=milliseconds, channel_tick_interval=100)

    def frequent_checks(self) -> AbstractContextManager[None]:
        return self._settings(channel_tick_interval=100)

    def frequent_dead_letters(self) -> AbstractContextManager[None]:
        return self._settings(dead_letter_worker_publisher_confirm_timeout=100)

    @contextmanager
    def frequent_retention(self) -> Iterator[None]:
        self._run("eval", "application:set_env(osiris, retention_eval_interval, 50).")
        try:
            yield
        finally:
            self._run("eval", "application:unset_env(osiris, retention_eval_interval).")

    @contextmanager
    def _settings(self, **values: int) -> Iterator[None]:
        """Change settings of the node for a while; what has read them by then keeps them."""
        names = ", ".join(values)
        asked = f"[begin {{ok, V}} = application:get_env(rabbit, N), V end || N <- [{names}]]"
        usual = self._run("eval", f"Usual = {asked}, {_assignments(values)}, Usual.")
        try:
            yield
        finally:
            numbers = map(int, usual.strip().strip("[]").split(","))
            self._run("eval", f"{_assignments(dict(zip(values, numbers, strict=True)))}.")

    def close_connection(self, peer: Reached, reason: str) -> None:
        listed = self._run("-q", "list_connections", "peer_port", "pid").splitlines()
        ports = dict(line.split("\t") for line in listed if "\t" in line)
        self._run("close_connection", ports[str(peer.local_port)], reason)

    def close_connections(self, virtualhost: str, reason: str) -> None:
        self._run("close_all_connections", "--vhost", virtualhost, reason)

    def add_tenant(self, name: str) -> None:
        everything = ", ".join(['<<".*">>'] * 3)
        self._run(  # in one run of rabbitmqctl instead of three
            "eval",
            f'N = <<"{name}">>, By = <<"a test">>, rabbit_vhost:add(N, By),'
            f' rabbit_auth_backend_internal:add_user(N, <<"{PASSWORD}">>, By),'
            f" rabbit_auth_backend_internal:set_permissions(N, N, {everything}, By).",
        )

    def grant(self, name: str, *, read: str = ".*") -> None:
        self._run("set_permissions", "-p", name, name, ".*", ".*", read)

    def clear_permissions(self, name: str) -> None:
        self._run("clear_permissions", "-p", name, name)

    def change_password(self, name: str, password: str) -> None:
        self._run("change_password", name, password)

    def tag(self, name: str, *tags: str) -> None:
        self._run("set_user_tags", name, *tags)

    def limit_topics(self, name: str, exchange: str, *, write: str, read: str) -> None:
        self._run("set_topic_permissions", "-p", name, name, exchange, write, read)

    def delete_user(self, name: str) -> None:
        self._run("delete_user", name)

    def forget_tenant(self, name: str) -> None:
        self._run(
            "eval",
            f'N = <<"{name}">>, catch rabbit_vhost:delete(N, <<"a test">>),'
            ' catch rabbit_auth_backend_internal:delete_user(N, <<"a test">>), ok.',
        )

    @contextmanager
    def policies(self, *policies: Policy) -> Iterator[None]:
        stem = f"ammoo-{uuid.uuid4().hex[:8]}"
        named = {f"{stem}-{number}": policy for number, policy in enumerate(policies)}
        settings = ", ".join(_setting(name, policy) for name, policy in named.items())
        clearings = ", ".join(f"catch {_clearing(*each)}" for each in named.items())
        try:
            # All in one run of rabbitmqctl, which ends badly if one of them is refused.
            self._run("eval", f"[] = [Refusal || Refusal <- [{settings}], Refusal =/= ok].")
            yield
        finally:
            self._run("eval", f"{clearings}, ok.")

    def takes(self, *policies: Policy) -> list[bool]:
        name = f"ammoo-{uuid.uuid4().hex[:8]}"
        attempts = ", ".join(
            f"case catch {_setting(name, policy)} of"
            f" ok -> {_clearing(name, policy)}, taken; _ -> refused end"
            for policy in policies
        )
        # rabbitmqctl may print a warning of its own beside the list.
        words = re.findall(r"\b(taken|refused)\b", self._run("eval", f"[{attempts}]."))
        return [word == "taken" for word in words]

    def sees(self, words: str) -> bool:
        return words in self._run("-q", "list_connections", "client_properties")

    def channel_max(self, number: int) -> AbstractContextManager[None]:
        return self._settings(channel_max=number)

    @contextmanager
    def virtualhost(self, *, default_queue_type: str = "") -> Iterator[str]:
        name = f"ammoo-{uuid.uuid4().hex[:8]}"
        self.add_virtualhost(name, "guest", default_queue_type=default_queue_type)
        try:
            yield name
        finally:
            self.delete_virtualhost(name)

    @contextmanager
    def user(self) -> Iterator[str]:
        name = f"ammoo-{uuid.uuid4().hex[:8]}"
        self._run("add_user", name, PASSWORD)
        try:
            self._run("set_permissions", name, ".*", ".*", ".*")
            yield name
        finally:
            self._run("delete_user", name)

    def limit_virtualhost(self, name: str, **limits: int) -> None:
        self._run("set_vhost_limits", "-p", name, json.dumps(as_arguments(limits)))

    def limit_user(self, name: str, **limits: int) -> None:
        self._run("set_user_limits", name, json.dumps(as_arguments(limits)))

    def add_virtualhost(self, name: str, user: str, *, default_queue_type: str = "") -> None:
        """Make a virtual host in which this user may do everything."""
        options = ["--default-queue-type", default_queue_type] if default_queue_type else []
        self._run("add_vhost", name, *options)
        self._run("set_permissions", "-p", name, user, ".*", ".*", ".*")

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host and all that is in it."""
        self._run("delete_vhost", name)

    def stop_node(self) -> None:
        """Shut RabbitMQ down, and leave Erlang's node to start it again."""
        self._run("stop_app")

    def start_node(self) -> None:
        """Start RabbitMQ again."""
        self._run("start_app")

    def _run(self, *arguments: str) -> str:
        command = [str(SCRIPT), "ctl", self._version, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _setting(name: str, policy: Policy) -> str:
    """Give the Erlang that sets a policy as rabbitmqctl does."""
    terms = (name, policy.pattern, json.dumps(policy.definition))
    words = ", ".join(_erlang_string(term) for term in ("/", *terms))
    function = "parse_set_op" if policy.by_operator else "parse_set"
    apply_to = _erlang_string(policy.apply_to)
    return f'rabbit_policy:{function}({words}, {policy.priority}, {apply_to}, <<"a test">>)'


def _clearing(name: str, policy: Policy) -> str:
    function = "delete_op" if policy.by_operator else "delete"
    return f'rabbit_policy:{function}(<<"/">>, {_erlang_string(name)}, <<"a test">>)'


def _erlang_string(text: str) -> str:
    return f"<<{json.dumps(text)}>>"


def _assignments(values: dict[str, int]) -> str:
    return ", ".join(
        f"application:set_env(rabbit, {name}, {value})" for name, value in values.items()
    )


def is_operated(version: str, url: str) -> bool:
    """Whether a RabbitMQ is the one that `.ci/rabbitmq` started for this version."""
    return _ask("url", version) == url


def tls_url(version: str) -> str:
    """Give where the RabbitMQ that `.ci/rabbitmq` started listens for TLS, and its authority."""
    return _ask("tls", version)


def _ask(question: str, version: str) -> str:
    command = [str(SCRIPT), question, version]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
