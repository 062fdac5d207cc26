"""Loading definitions: RabbitMQ's JSON, of the whole broker or of one virtual host.

As in RabbitMQ, existing users, virtual hosts and policies are changed; existing queues and exchanges
stay as they are. Parameters of plugins are ignored. Global parameters are kept, and only the cluster's
name has an effect.
See https://www.rabbitmq.com/docs/definitions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ammoo_wire import (
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ProtocolError,
    QueueBindParameters,
    QueueDeclareParameters,
)

from ..auth.password_hashes import ALGORITHMS, SHA_256
from ..auth.users import Permissions, TopicPermissions, User, UserLimits
from ..connections.direct_channel import DirectChannel
from ..node.policies import Policy
from ..node.virtual_host import VirtualHostLimits
from .entries import Entry, entries
from .limit_names import USER_LIMITS, VIRTUALHOST_LIMITS

if TYPE_CHECKING:
    from ..node.node import Node
    from ..node.virtual_host import VirtualHost

__all__ = ["import_definitions"]


def import_definitions(
    node: Node, definitions: Mapping[str, Any], virtualhost: VirtualHost | None = None
) -> None:
    """Add definitions to a broker, in the order in which RabbitMQ adds them.

    Args:
        node: The broker's node.
        definitions: The definitions.
        virtualhost: The virtual host for all entries; None for those that the entries name.

    Raises:
        TypeError: The definitions are not a mapping of lists of objects.
        ValueError: An entry lacks a value, or RabbitMQ would refuse it; the text names the entry.
            The entries before it were added.
    """
    importer = _Importer(node, virtualhost)
    for kind, load in importer.parts():
        for entry in entries(definitions, kind):
            with entry.naming_errors():
                load(entry)


class _Importer:
    """Adds definitions to a node."""

    def __init__(self, node: Node, virtualhost: VirtualHost | None) -> None:
        self._node = node
        self._virtualhost = virtualhost
        self._user = User("rmq-internal", None)

    def parts(self) -> list[tuple[str, Callable[[Entry], None]]]:
        """Return the members of definitions in RabbitMQ's order, each with the loader of an entry."""
        of_broker = [
            ("users", self._load_user),
            ("vhosts", self._load_virtualhost),
            ("permissions", self._load_permission),
            ("global_parameters", self._load_global_parameter),
        ]
        return [
            *(of_broker if self._virtualhost is None else ()),
            ("exchanges", self._load_exchange),
            ("topic_permissions", self._load_topic_permission),
            ("policies", lambda entry: self._load_policy(entry, by_operator=False)),
            ("parameters", self._load_parameter),
            ("queues", self._load_queue),
            ("bindings", self._load_binding),
        ]

    # -- users and virtual hosts ---------------------------------------------------------------

    def _load_user(self, entry: Entry) -> None:
        algorithm = entry.text("hashing_algorithm", SHA_256)
        if algorithm not in ALGORITHMS:
            raise ValueError(f"hashing_algorithm is {algorithm!r}; expected one of {_KNOWN}")
        limits = _limits(entry.mapping("limits"), USER_LIMITS)
        user = self._node.users.add(entry.text("name"), entry.get("password"))
        if user.password is None:
            user.password_hash = entry.text("password_hash", "")
            user.hashing_algorithm = algorithm
        user.tags = tuple(dict.fromkeys(entry.tags()))
        user.limits = UserLimits(**limits)

    def _load_global_parameter(self, entry: Entry) -> None:
        self._node.global_parameters[entry.text("name")] = entry.get("value")

    def _load_virtualhost(self, entry: Entry) -> None:
        metadata = Entry("metadata", entry.mapping("metadata"))
        limits = _limits(entry.mapping("limits"), VIRTUALHOST_LIMITS)
        virtualhost = self._node.add_virtualhost(entry.text("name"))
        queue_type = entry.get("default_queue_type") or metadata.get("default_queue_type")
        if queue_type not in (None, "undefined", "classic"):
            virtualhost.default_queue_type = str(queue_type)
        virtualhost.description = metadata.text("description", entry.text("description", ""))
        virtualhost.tags = metadata.tags() or entry.tags()
        virtualhost.limits = VirtualHostLimits(**limits)

    def _load_permission(self, entry: Entry) -> None:
        permissions = Permissions(entry.text("configure"), entry.text("write"), entry.text("read"))
        permissions.check()
        user = self._node.users[entry.text("user")]
        user.permissions[self._host_of(entry).name] = permissions

    def _load_topic_permission(self, entry: Entry) -> None:
        permissions = TopicPermissions(entry.text("write"), entry.text("read"))
        permissions.check()
        key = self._host_of(entry).name, entry.text("exchange")
        self._node.users[entry.text("user")].topic_permissions[key] = permissions

    # -- policies and parameters ---------------------------------------------------------------

    def _load_policy(self, entry: Entry, *, by_operator: bool) -> None:
        policy = Policy(
            entry.text("pattern"),
            entry.mapping("definition"),
            entry.get("priority", 0),
            entry.text("apply-to", "all"),
        )
        policy.check(self._node.profile, by_operator=by_operator)
        name = entry.text("name")
        self._host_of(entry).change_policies(
            lambda policies: policies.set(name, policy, by_operator=by_operator)
        )

    def _load_parameter(self, entry: Entry) -> None:
        component, value = entry.text("component"), entry.mapping("value")
        if component == "vhost-limits":
            limits = _limits(value, VIRTUALHOST_LIMITS)
            self._host_of(entry).limits = VirtualHostLimits(**limits)
        elif component == "operator_policy":
            names = {"name": entry.text("name"), "vhost": entry.get("vhost")}
            self._load_policy(Entry("value", {**value, **names}), by_operator=True)

    # -- exchanges, queues, bindings -----------------------------------------------------------

    def _load_exchange(self, entry: Entry) -> None:
        virtualhost, name = self._host_of(entry), entry.text("name")
        if name in virtualhost.exchanges or name.startswith("amq."):
            return  # each virtual host has these already
        declare = ExchangeDeclareParameters(
            name,
            exchange_type=entry.text("type"),
            durable=entry.flag("durable"),
            auto_delete=entry.flag("auto_delete"),
            internal=entry.flag("internal"),
            arguments=dict(entry.mapping("arguments")),
        )
        self._execute(virtualhost, declare)

    def _load_queue(self, entry: Entry) -> None:
        virtualhost, name = self._host_of(entry), entry.text("name")
        if name in virtualhost.queues:
            return
        durable, auto_delete = entry.flag("durable"), entry.flag("auto_delete")
        arguments = dict(entry.mapping("arguments"))
        queue_type = entry.text("type", "classic")
        if queue_type != "classic":
            arguments.setdefault("x-queue-type", queue_type)
        if name.startswith("amq."):  # clients may not choose such a name
            virtualhost.create_queue(
                name, durable=durable, auto_delete=auto_delete, arguments=arguments
            )
            return
        declare = QueueDeclareParameters(
            name, durable=durable, auto_delete=auto_delete, arguments=arguments
        )
        self._execute(virtualhost, declare)

    def _load_binding(self, entry: Entry) -> None:
        destination, source = entry.text("destination"), entry.text("source")
        key, arguments = entry.text("routing_key"), dict(entry.mapping("arguments"))
        if not source:
            return  # the default exchange needs no bindings
        is_to_queue = entry.text("destination_type") == "queue"
        bind: tuple[Any, ...] = (
            QueueBindParameters(destination, source, key, arguments=arguments)
            if is_to_queue
            else ExchangeBindParameters(destination, source, key, arguments=arguments)
        )
        self._execute(self._host_of(entry), bind)

    def _execute(self, virtualhost: VirtualHost, parameters: tuple[Any, ...]) -> None:
        """Execute a method as a user with all permissions.

        Raises:
            ValueError: The broker refuses it.
        """
        self._user.grant_all(virtualhost.name)
        with DirectChannel(self._node, self._user, virtualhost) as channel:
            try:
                channel.call(parameters)
            except ProtocolError as error:
                raise ValueError(error.reply_text) from error

    def _host_of(self, entry: Entry) -> VirtualHost:
        if self._virtualhost is not None:
            return self._virtualhost
        name = entry.text("vhost")
        if name not in self._node.virtualhosts:
            raise ValueError(f"there is no virtual host {name!r}")
        return self._node.virtualhosts[name]


_KNOWN: Final = ", ".join(ALGORITHMS)


def _limits(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return limits by the fields that hold them.

    Raises:
        TypeError: A limit is not an integer.
        ValueError: A limit is unknown.
    """
    for name, value in values.items():
        if name not in names:
            raise ValueError(f"limit {name!r} is unknown; expected some of {', '.join(names)}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"limit {name!r} is {value!r}; expected an integer")
    return {names[name]: value for name, value in values.items()}
