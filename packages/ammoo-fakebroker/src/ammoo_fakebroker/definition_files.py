"""Loading what a broker has from a file or a mapping, and returning it: RabbitMQ's definitions.

The methods of `FakeBroker`; the form is read and written in `definitions/`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .node.node import Node

if TYPE_CHECKING:
    from .node.virtual_host import VirtualHost

__all__ = ["DefinitionFiles"]

_Result = TypeVar("_Result")


class DefinitionFiles(ABC):
    """The methods that load and return definitions.

    Attributes:
        _node: The node that has what is defined.
    """

    _node: Node

    @abstractmethod
    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Call a function in the broker's thread, and return its result."""

    def load_definitions(
        self,
        definitions: Mapping[str, Any] | str | PathLike[str],
        *,
        virtualhost: str | None = None,
    ) -> None:
        """Add users, virtual hosts, permissions, policies, queues, exchanges and bindings.

        The form is that of RabbitMQ's ``rabbitmqctl export_definitions`` and of its management
        interface, so an export of a real broker can be loaded. What exists already stays; users and
        policies are changed. Parameters of plugins and of the cluster are ignored.
        See https://www.rabbitmq.com/docs/definitions

        Args:
            definitions: The definitions, or the path of a file of JSON that has them.
            virtualhost: The virtual host that gets everything, for definitions of one virtual
                host. None for the virtual hosts that the entries name.

        Raises:
            LookupError: There is no such virtual host.
            OSError: The file cannot be read.
            TypeError: The definitions are no mapping of lists of objects.
            ValueError: The file is no JSON, something is missing, or RabbitMQ would refuse it; the
                text names the entry. Entries before it were added.
        """
        from .definitions.importing import import_definitions

        if isinstance(definitions, str | PathLike):
            path = Path(definitions)
            try:
                definitions = json.loads(path.read_bytes())
            except ValueError as error:
                raise ValueError(f"{path} is no JSON: {error}") from error
        found: Any = definitions
        self._call(lambda: import_definitions(self._node, found, self._host(virtualhost)))

    def definitions(self, *, virtualhost: str | None = None) -> dict[str, Any]:
        """Return what the broker has, in the form that `load_definitions` reads.

        ``json.dumps`` makes a file of it that RabbitMQ reads, too (``import_definitions``).
        Exclusive queues and messages are not part of it.

        Args:
            virtualhost: The virtual host whose definitions to return, without its name; None for
                those of the broker.

        Raises:
            LookupError: There is no such virtual host.
        """
        from .definitions.exporting import export_definitions

        return self._call(lambda: export_definitions(self._node, self._host(virtualhost)))

    def _host(self, name: str | None) -> VirtualHost | None:
        return None if name is None else self._node.virtualhost(name)
