"""`Faults`: the object ``broker.faults`` that a test uses.

Each fault is a method; `add` makes one from plain data, for files and other languages. This module
checks the names of options, because a fault with a misspelt scope would strike everything.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ..call_checks import checks_arguments
from ..similar_names import similar_name
from .broker_faults import BrokerFaults
from .fault import Fault
from .network_faults import NetworkFaults
from .options import check_scope, unknown_option
from .registry import Registry

__all__ = ["Faults"]

_FaultT = TypeVar("_FaultT", bound=Fault)


@checks_arguments
class Faults(BrokerFaults, NetworkFaults):
    """The faults of a broker that a test scripts: methods that make them, and those in force.

    A fault is in force from the call on, until its ``with`` block ends, its `remove` is called, or
    the broker stops. If several match, only the newest strikes; but delays add up.

    Example::

        broker.faults.nack_publishes(exchange_name="orders", times=1)

        with broker.faults.silence(connection="worker"):
            ...

    The signature of each fault shows which of these options it has. Those of the scope select what
    it strikes, each by a value that must be equal, a compiled regular expression that must match
    somewhere, or a function that decides. By default everything is in the scope.

    - ``connection``: the name of a connection, RabbitMQ's or the client's own (its property
      ``connection_name``); or a snapshot of the connection.
    - ``user``: the name of the user that has logged in.
    - ``virtualhost``: the name of the virtual host.
    - ``channel_number``: the number of the channel; no regular expression.
    - ``exchange_name``: the exchange of the publish or the method.
    - ``routing_key``: the routing key of the publish or the method.
    - ``queue_name``: the queue of the delivery or the method.
    - ``consumer_tag``: the consumer tag of the delivery or the method.
    - ``message``: only a function, which is called with a `MessageSnapshot`.

    The limits decide how often it strikes what is in the scope:

    - ``skip``: how many matches it lets pass first; 0 by default.
    - ``every``: after those, it strikes the first of every so many matches; 1 by default.
    - ``times``: how many matches it strikes at most; None, the default, for any number.
    - ``probability``: the chance that it strikes a match, above 0 and at most 1; 1 by default. The
      option `seed` of `FakeBroker` decides which.

    Each fault has ``optional``: whether a ``with`` block may end without a strike. By default such
    a block raises AssertionError.

    Raises:
        TypeError: A fault has no such option, or the value has a wrong type.
        ValueError: The value of an option is out of its range.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def __repr__(self) -> str:
        return f"<Faults {', '.join(fault.describe() for fault in self.active) or 'none'}>"

    if not TYPE_CHECKING:  # a type checker would take every attribute for one that exists

        def __getattr__(self, name: str) -> object:
            """Raise AttributeError for a fault that does not exist; the text names a similar one."""
            close = None if name.startswith("_") else similar_name(name, fault_names())
            hint = (
                f"; did you mean {close!r}?" if close else f"; they are {', '.join(fault_names())}"
            )
            raise AttributeError(f"there is no fault {name!r}{hint}")

    @property
    def active(self) -> tuple[Fault, ...]:
        """The faults in force, newest first."""
        return self._registry.call(lambda: tuple(self._registry.active))

    def clear(self) -> None:
        """Remove all faults."""
        for fault in self.active:
            fault.remove()

    def add(self, name: str, options: Mapping[str, Any] | None = None) -> Fault:
        """Make a fault from plain data, such as an entry of a file.

        Example::

            broker.faults.add("nack_publishes", {"exchange_name": "orders", "times": 2})

        Args:
            name: The name of the method that makes it.
            options: Its arguments by their names: strings, numbers and booleans. Functions and
                regular expressions are not allowed.

        Raises:
            LookupError: An option names something that the broker does not have.
            ValueError: There is no such fault or option, an option is missing, or a value is
                invalid.
        """
        method = getattr(self, name, None) if name in fault_names() else None
        if method is None:
            close = similar_name(name, fault_names())
            hint = f"did you mean {close!r}?" if close else f"they are {', '.join(fault_names())}"
            raise ValueError(f"there is no fault {name!r}; {hint}")
        given = dict(options or {})
        unsuitable = [
            f"{option} is {value!r}; expected a string, a number or a boolean"
            for option, value in given.items()
            if not isinstance(value, str | int | float | None)
        ]
        if unsuitable:
            raise ValueError(unsuitable[0])
        try:
            _check(name, method, given)
            made: Fault = method(**given)
        except TypeError as error:
            raise ValueError(str(error)) from None
        return made

    def _take_errors(self) -> list[str]:
        """Return the errors of faults' functions that were not raised yet; not again next time."""
        errors = [fault._take_error() for fault in self._registry.failures]
        return [error for error in errors if error is not None]

    def _begin(self, kind: type[_FaultT], options: Mapping[str, Any]) -> _FaultT:
        method = getattr(self, kind.name)
        _check(kind.name, method, options)
        defaults = inspect.signature(method).parameters
        given = {
            name: value
            for name, value in options.items()
            if value is not None and (name in kind._own_options or value != defaults[name].default)
        }
        return self._registry.begin(kind, given)


def fault_names() -> list[str]:
    """Return the names of all faults, sorted."""
    return sorted(
        name
        for name, method in inspect.getmembers(Faults, inspect.isfunction)
        if "optional" in inspect.signature(method).parameters
    )


def _check(name: str, method: Any, options: Mapping[str, Any]) -> None:
    """Check the names and the plain values of a fault's options.

    Raises:
        TypeError: There is no such option, a value has a wrong type, or an option is missing.
    """
    check_scope(options)
    parameters = inspect.signature(method).parameters
    for option in options:
        if option not in parameters:
            raise TypeError(unknown_option(name, option, list(parameters)))
    for option, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and option not in options:
            raise TypeError(f"{name} lacks its option {option!r}")
