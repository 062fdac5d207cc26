"""Setting a real RabbitMQ up through its management API; `setup.py` does the same for the fake."""

from __future__ import annotations

import base64
import json as json_module
from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..described_messages import body_and_properties
from ..history.events import plain
from .management_client import ManagementError

if TYPE_CHECKING:
    from .management_client import ManagementClient

__all__ = ["RealSetUp"]

_DEFAULT_VIRTUALHOST: Final = "/"
_OF_VIRTUAL_HOSTS: Final = ("exchanges", "queues", "bindings", "policies")
"""The sections of definitions whose entries belong to a virtual host."""
_DEFAULTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "queues": {"durable": False, "auto_delete": False, "arguments": {}},
    "exchanges": {"durable": False, "auto_delete": False, "internal": False, "arguments": {}},
}
"""What RabbitMQ 3.10 needs in an entry, and later releases and the fake do not."""


class RealSetUp(ABC):
    """The methods that declare, bind, publish, purge and delete.

    Attributes:
        _api: The management API.
    """

    _api: ManagementClient

    @abstractmethod
    def _refuse(self, what: str) -> NoReturn:
        """Skip or fail the test, because a real broker cannot do something."""

    @abstractmethod
    def _home(self, virtualhost: str) -> str:
        """Return the real name of a virtual host."""

    def declare_queue(
        self,
        queue_name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> str:
        """Declare a queue, as `FakeBroker.declare_queue` does.

        Raises:
            ValueError: RabbitMQ refuses it.
        """
        body = {
            "durable": durable,
            "auto_delete": auto_delete,
            "arguments": dict(arguments or {}),
        }
        self._put(("queues", self._home(virtualhost), queue_name), body)
        return queue_name

    def declare_exchange(
        self,
        exchange_name: str,
        exchange_type: str = "direct",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Declare an exchange, as `FakeBroker.declare_exchange` does.

        Raises:
            ValueError: RabbitMQ refuses it.
        """
        body = {
            "type": exchange_type,
            "durable": durable,
            "auto_delete": auto_delete,
            "internal": internal,
            "arguments": dict(arguments or {}),
        }
        self._put(("exchanges", self._home(virtualhost), exchange_name), body)

    def bind_queue(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str = "",
        *,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Bind a queue to an exchange, as `FakeBroker.bind_queue` does.

        Raises:
            ValueError: RabbitMQ refuses it.
        """
        path = ("bindings", self._home(virtualhost), "e", exchange_name, "q", queue_name)
        self._post(path, {"routing_key": routing_key, "arguments": dict(arguments or {})})

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str = "",
        *,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Bind an exchange to another, as `FakeBroker.bind_exchange` does.

        Raises:
            ValueError: RabbitMQ refuses it.
        """
        path = ("bindings", self._home(virtualhost), "e", source, "e", destination)
        self._post(path, {"routing_key": routing_key, "arguments": dict(arguments or {})})

    def load_definitions(
        self,
        definitions: Mapping[str, Any] | str | PathLike[str],
        *,
        virtualhost: str | None = None,
    ) -> None:
        """Add queues, exchanges, bindings and policies, as `FakeBroker.load_definitions` does.

        Entries of the default virtual host go to that of the test. Users, permissions and other
        virtual hosts belong to the whole broker, so a test that loads these needs the fake.

        Raises:
            ValueError: RabbitMQ refuses an entry.
        """
        given: Mapping[str, Any] = (
            definitions
            if isinstance(definitions, Mapping)
            else json_module.loads(Path(definitions).read_bytes())
        )
        found: dict[str, list[dict[str, Any]]] = {}
        for section in _OF_VIRTUAL_HOSTS:
            defaults = _DEFAULTS.get(section, {})
            found[section] = [{**defaults, **entry} for entry in given.get(section, ())]
        home = virtualhost or _DEFAULT_VIRTUALHOST
        others = {entry.pop("vhost", home) for entries in found.values() for entry in entries}
        if virtualhost is None and others - {_DEFAULT_VIRTUALHOST}:
            self._refuse("load_definitions() of other virtual hosts")
        if given.get("users") or given.get("permissions"):
            self._refuse("load_definitions() of users")
        self._post(("definitions", self._home(home)), found)

    def definitions(self, *, virtualhost: str | None = None) -> dict[str, Any]:
        """Return the definitions of the test's virtual host, as `FakeBroker.definitions` does.

        Those of the broker, users for example, are left out.
        """
        home = virtualhost or _DEFAULT_VIRTUALHOST
        found: dict[str, Any] = self._api.get(("definitions", self._home(home)))
        if virtualhost is None:
            for section in _OF_VIRTUAL_HOSTS:
                for entry in found.get(section, ()):
                    entry["vhost"] = home
        return found

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        body: bytes | str | None = None,
        *,
        json: Any = None,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
        **properties: Any,
    ) -> None:
        """Publish a message, as `FakeBroker.publish` does; RabbitMQ does not name the queues.

        Raises:
            TypeError: There is no such property, or both `body` and `json` are given.
            ValueError: The message reaches no queue, or RabbitMQ refuses it.
        """
        octets, described = body_and_properties(body, json, properties)
        message = {
            "routing_key": routing_key,
            "payload": base64.b64encode(octets).decode(),
            "payload_encoding": "base64",
            "properties": {name.rstrip("_"): plain(value) for name, value in described.items()},
        }
        path = ("exchanges", self._home(virtualhost), exchange_name or "amq.default", "publish")
        if not self._post(path, message)["routed"]:
            raise ValueError(
                f"the message reaches no queue: exchange {exchange_name!r}, key {routing_key!r}"
            )

    def put(self, queue_name: str, body: bytes | str | None = None, **options: Any) -> None:
        """Put a message into a queue, as `FakeBroker.put` does."""
        self.publish("", queue_name, body, **options)

    def purge_queue(self, queue_name: str, *, virtualhost: str = _DEFAULT_VIRTUALHOST) -> None:
        """Drop the messages that are ready in a queue; RabbitMQ does not count them."""
        self._api.delete(("queues", self._home(virtualhost), queue_name, "contents"))

    def delete_queue(
        self,
        queue_name: str,
        *,
        if_unused: bool = False,
        if_empty: bool = False,
        virtualhost: str = _DEFAULT_VIRTUALHOST,
    ) -> None:
        """Delete a queue."""
        if if_unused or if_empty:
            self._refuse(f"delete_queue(if_unused={if_unused}, if_empty={if_empty})")
        self._api.delete(("queues", self._home(virtualhost), queue_name))

    def delete_exchange(
        self, exchange_name: str, *, virtualhost: str = _DEFAULT_VIRTUALHOST
    ) -> None:
        """Delete an exchange."""
        self._api.delete(("exchanges", self._home(virtualhost), exchange_name))

    def _put(self, path: tuple[str, ...], body: Mapping[str, Any]) -> None:
        try:
            self._api.put(path, body)
        except ManagementError as error:
            raise ValueError(str(error)) from None

    def _post(self, path: tuple[str, ...], body: Mapping[str, Any]) -> Any:
        try:
            return self._api.post(path, body)
        except ManagementError as error:
            raise ValueError(str(error)) from None
