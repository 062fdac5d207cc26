"""Methods: declared once as named tuples, compiled to flat encode and decode functions.

A declaration says everything about a method::

    @method(60, 80)
    class BasicAckParameters(LightNamedTuple):
        delivery_tag: LongLong = 0
        multiple: Bit = False

`method_of` returns its `Method`, whose `encode` and `decode` are written out and
compiled when they are first asked for (`method_compiler`), as `dataclasses` does it.
A compiled `basic.deliver` is read in half the time that walking over a description of
its fields takes.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from .exceptions import EncodeError, show
from .fields import Octets, WireType
from .method_compiler import compile_codec

__all__ = ["Method", "Parameters", "method", "method_of", "method_with_id", "methods"]

Parameters = tuple[Any, ...]
"""A method's parameters: a NamedTuple such as `QueueDeclareParameters`."""

_ParametersT = TypeVar("_ParametersT", bound=type[tuple[Any, ...]])
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

_BY_TYPE: Final[dict[type[Parameters], "Method"]] = {}
_BY_ID: Final[dict[int, "Method"]] = {}


class _Compiled:
    """A method of `Method` that is compiled when an instance is first asked for it.

    The class itself shows what was declared: its signature and its docstring.
    """

    def __init__(self, declared: Callable[..., Any]) -> None:
        self._declared = declared
        self.__doc__ = declared.__doc__

    def __get__(self, instance: "Method | None", owner: type) -> Callable[..., Any]:
        if instance is None:
            return self._declared
        verb = self._declared.__name__
        compiled: Callable[..., Any] = compile_codec(instance, verb)
        instance.__dict__[verb] = compiled  # found in front of this from now on
        return compiled


if TYPE_CHECKING:

    def _compiled(declared: _FunctionT) -> _FunctionT:
        """See below."""
        return declared

else:
    _compiled = _Compiled


class Method:
    """One of AMQP's methods: its numbers, its name, and the codec of its parameters.

    ::

        method = method_of(QueueDeclareParameters)
        payload = method.encode(*QueueDeclareParameters("orders"))
        parameters = method.decode(payload, 4, len(payload))

    Attributes:
        class_id: For example 50 for queue.
        method_id: For example 10 for queue.declare.
        id: Class id and method id.
        parameters: The class of its parameters, a NamedTuple.
        has_content: Whether a content header and a body follow it.
        reserved_short: Whether the parameters begin with the two octets of the old access ticket.
        replies: Names of the methods that answer it; empty if none does.
    """

    def __init__(
        self,
        class_id: int,
        method_id: int,
        parameters: type[Parameters],
        *,
        has_content: bool,
        reserved_short: bool,
        replies: tuple[str, ...],
    ) -> None:
        self.class_id = class_id
        self.method_id = method_id
        self.id: tuple[int, int] = (class_id, method_id)
        self.parameters = parameters
        self.has_content = has_content
        self.reserved_short = reserved_short
        self.replies = replies
        self._name = _dotted_name(parameters.__name__)
        self._fields: tuple[tuple[str, WireType], ...] | None = None
        self._has_table: bool | None = None

    def __repr__(self) -> str:
        return f"<Method {self.name} ({self.class_id}, {self.method_id})>"

    @property
    def name(self) -> str:
        """The dotted name, ``queue.declare``."""
        return self._name

    @property
    def fields(self) -> tuple[tuple[str, WireType], ...]:
        """The parameters' names with their types, in the order of the wire."""
        if self._fields is None:  # not before it is asked for: 66 methods take 1 ms
            hints = get_type_hints(self.parameters, include_extras=True)
            self._fields = tuple((name, hint.__metadata__[0]) for name, hint in hints.items())
        return self._fields

    @property
    def has_table(self) -> bool:
        """Whether one of the parameters is a field table."""
        if self._has_table is None:
            self._has_table = any(wire_type is WireType.TABLE for _, wire_type in self.fields)
        return self._has_table

    @_compiled
    def encode(self, *parameters: Any) -> bytes:
        """Write a method frame's payload: the ids, then the parameters.

        Args:
            *parameters: All of them, in the order of the class's fields.

        Raises:
            EncodeError: A parameter cannot be encoded; the text names it.
        """
        raise NotImplementedError  # pragma: no cover  compiled in its place

    @_compiled
    def decode(self, data: Octets | memoryview, position: int, end: int) -> Any:
        """Read the parameters from a method frame's payload.

        Args:
            data: Octets that the payload is a part of.
            position: Where the parameters begin in it, behind the ids.
            end: Where they end, which is not behind the end of `data`.

        Returns:
            An instance of the class `parameters`.

        Raises:
            ProtocolError: They are cut short, too long, or hold an invalid value.
        """
        raise NotImplementedError  # pragma: no cover  compiled in its place


def method(
    class_id: int,
    method_id: int,
    *,
    content: bool = False,
    reserved_short: bool = False,
    replies: tuple[str, ...] = (),
) -> Callable[[_ParametersT], _ParametersT]:
    """Declare the NamedTuple below to be a method's parameters. See `Method` for the options."""

    def declare(parameters: _ParametersT) -> _ParametersT:
        declared = Method(
            class_id,
            method_id,
            parameters,
            has_content=content,
            reserved_short=reserved_short,
            replies=replies,
        )
        parameters.__doc__ = (
            f"{parameters.__doc__}\n\n    The parameters of ``{declared.name}``"
            f" (class {class_id}, method {method_id})."
        )
        _BY_TYPE[parameters] = declared
        _BY_ID[class_id << 16 | method_id] = declared
        return parameters

    return declare


def method_of(parameters: Parameters | type[Parameters]) -> Method:
    """Return the method that some parameters, or their type, belong to.

    ::

        assert method_of(BasicAckParameters).name == "basic.ack"

    Args:
        parameters: A method's parameters, or their class.

    Raises:
        EncodeError: They are no method's parameters.
    """
    cls = parameters if isinstance(parameters, type) else type(parameters)
    try:
        return _BY_TYPE[cls]
    except KeyError:
        raise EncodeError(
            f"{show(parameters)} is no method's parameters; expected an instance of a class such as"
            " QueueDeclareParameters"
        ) from None


def method_with_id(class_and_method_id: int) -> Method | None:
    """Return the method with a class id, shifted left by 16, plus a method id; None if there is none.

    ::

        method = method_with_id(50 << 16 | 10)
        assert method.name == "queue.declare"
    """
    return _BY_ID.get(class_and_method_id)


def methods() -> tuple[Method, ...]:
    """Return all 66 methods, ordered by class and method id.

    ::

        names_with_content = [method.name for method in methods() if method.has_content]
    """
    return tuple(_BY_ID[key] for key in sorted(_BY_ID))


def _dotted_name(type_name: str) -> str:
    """Return ``queue.declare-ok`` for ``QueueDeclareOkParameters``."""
    words: list[str] = []
    for letter in type_name.removesuffix("Parameters"):
        if letter.isupper():
            words.append("")
        words[-1] += letter.lower()
    return f"{words[0]}.{'-'.join(words[1:])}"
