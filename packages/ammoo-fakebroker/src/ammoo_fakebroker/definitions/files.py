"""Loading RabbitMQ's definitions from a file or a mapping, and returning a broker's definitions.

These are methods of `FakeBroker`; `definitions/` reads and writes the format.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from copy import deepcopy
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..node.node import Node

if TYPE_CHECKING:
    from ..node.virtual_host import VirtualHost

__all__ = ["DefinitionFiles"]

_Result = TypeVar("_Result")


class DefinitionFiles(ABC):
    """The methods that load and return definitions.

    Attributes:
        _node: The broker's node.
    """

    _node: Node

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    @abstractmethod
    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Do the same with a function that changes the broker; raise if the broker was stopped."""

    def load_definitions(
        self,
        definitions: Mapping[str, Any] | str | PathLike[str],
        *,
        virtualhost: str | None = None,
    ) -> None:
        """Add users, virtual hosts, permissions, policies, queues, exchanges and bindings.

        The format is that of RabbitMQ's ``rabbitmqctl export_definitions`` and of its management
        interface, so an export of a real broker can be loaded. Existing queues, exchanges and
        bindings stay as they are; existing users and policies are changed. Parameters of plugins are
        ignored; global parameters are kept, and only the cluster's name has an effect.
        See https://www.rabbitmq.com/docs/definitions

        Example::

            broker.load_definitions("definitions.json")

        Args:
            definitions: The definitions, or the path of a JSON file.
            virtualhost: The virtual host for all entries, for definitions of one virtual host. None,
                the default, for the virtual hosts that the entries name.

        Raises:
            LookupError: There is no such virtual host.
            OSError: The file cannot be read.
            TypeError: The definitions are not a mapping of lists of objects.
            ValueError: The file is not JSON, an entry lacks a value, or RabbitMQ would refuse it; the
                text names the entry. The entries before it were added.
        """
        from .importing import import_definitions

        if isinstance(definitions, str | PathLike):
            path = Path(definitions)
            try:
                definitions = json.loads(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path}: the file is not JSON: {error}") from error
        found: Any = definitions
        self._change(lambda: import_definitions(self._node, found, self._host(virtualhost)))

    def definitions(self, *, virtualhost: str | None = None) -> dict[str, Any]:
        """Return the broker's definitions, in the format that `load_definitions` reads.

        RabbitMQ reads them, too, in a file that ``json.dump`` writes (``import_definitions``). They
        do not contain exclusive queues and messages.

        Args:
            virtualhost: The virtual host whose definitions to return, without its name; None for
                those of the broker.

        Raises:
            LookupError: There is no such virtual host.
        """
        from .exporting import export_definitions

        return self._call(lambda: deepcopy(export_definitions(self._node, self._host(virtualhost))))

    def _host(self, name: str | None) -> VirtualHost | None:
        return None if name is None else self._node.virtualhost(name)
