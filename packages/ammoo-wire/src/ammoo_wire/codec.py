"""Methods: declared once as named tuples, compiled to flat encode and decode functions.

A declaration is the whole truth about a method::

    @method(60, 80)
    class BasicAckParameters(LightNamedTuple):
        delivery_tag: LongLong = 0
        multiple: Bit = False

`method_of` returns its `Method`, whose `encode` and `decode` are written out and
compiled when they are first asked for, as `dataclasses` does it; `linecache`
knows their source, so a traceback shows it. A compiled `basic.deliver` is read
in half the time that walking over a description of its fields takes. The source
is made of our own declarations alone, never of anything that came off the wire.

This module knows the types of fields; it knows no particular method.
"""

import linecache
from collections.abc import Callable, Iterator
from itertools import groupby
from struct import Struct
from struct import error as StructError
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from .exceptions import EncodeError, FrameError, ProtocolError, show, show_octets
from .fields import Octets, WireType, encode_short_string, is_unsigned
from .tables import encode_table, read_table

__all__ = ["Method", "Parameters", "method", "method_of", "method_with_id", "methods"]

Parameters = tuple[Any, ...]
"""A method's parameters: a NamedTuple such as `QueueDeclareParameters`."""

_ParametersT = TypeVar("_ParametersT", bound=type[tuple[Any, ...]])
_FunctionT = TypeVar("_FunctionT", bound=Callable[..., Any])

_BY_TYPE: Final[dict[type[Parameters], "Method"]] = {}
_BY_ID: Final[dict[int, "Method"]] = {}

_STRUCT_LETTERS = {
    WireType.OCTET: "B",
    WireType.SHORT: "H",
    WireType.LONG: "I",
    WireType.LONGLONG: "Q",
}
_FIXED_SIZES = {"B": 1, "H": 2, "I": 4, "Q": 8}


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
        compiled: Callable[..., Any] = _compile(instance, verb, _SOURCES[verb](instance))
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
            ProtocolError: They are cut short, too long, or hold what they must not.
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


# --- the sources ---------------------------------------------------------------------------


def _compile(described: Method, verb: str, source: str) -> Any:
    filename = f"<ammoo_wire {verb} {described.name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {
        "StructError": StructError,
        "encode_table": encode_table,
        "read_table": read_table,
        "misfit": misfit,
        "octet_strings": (bytes, bytearray),
        "malformed": malformed,
        "malformed_string": malformed_string,
        "described": described,
        "parameters": described.parameters,
        "new": tuple.__new__,
    }
    for kind, letters, _ in _runs(described, with_ids=verb == "encode"):
        if kind == "struct":
            struct = Struct(f">{letters}")
            namespace[f"pack_{letters}"] = struct.pack
            namespace[f"unpack_{letters}"] = struct.unpack_from
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102  our own declarations
    return namespace[verb]


def _runs(described: Method, *, with_ids: bool) -> Iterator[tuple[str, str, list[str]]]:
    """Cut a payload into runs that one `Struct` handles, and those that need code.

    Yields:
        What to do ("struct", "shortstr", "longstr", "table"), a struct's letters, and the names.
    """
    for is_struct, steps in groupby(
        _steps(described, with_ids), key=lambda step: step[0] == "struct"
    ):
        if is_struct:
            members = list(steps)
            yield "struct", "".join(step[1] for step in members), [step[2] for step in members]
        else:
            for kind, letters, name in steps:
                yield kind, letters, [name]


def _steps(described: Method, with_ids: bool) -> Iterator[tuple[str, str, str]]:
    """List the steps of a payload; a string's size is a step of its own, in front of the string."""
    if with_ids:
        yield "struct", "I", "ids"
    if described.reserved_short:
        yield "struct", "H", "reserved"
    octet_of_bits, bits_in_octet = 0, 8
    for name, wire_type in described.fields:
        if wire_type is WireType.BIT:
            if bits_in_octet == 8:
                octet_of_bits, bits_in_octet = octet_of_bits + 1, 0
                yield "struct", "B", f"bits{octet_of_bits}"
            bits_in_octet += 1
            continue
        bits_in_octet = 8
        if wire_type is WireType.SHORTSTR:
            yield "struct", "B", f"size_of_{name}"
            yield "shortstr", "", name
        elif wire_type is WireType.LONGSTR:
            yield "struct", "I", f"size_of_{name}"
            yield "longstr", "", name
        elif wire_type is WireType.TABLE:
            yield "table", "", name
        else:
            yield "struct", _STRUCT_LETTERS[wire_type], name


def _octets_of_bits(described: Method) -> list[list[str]]:
    """Return the names of the bits, by the octet that they are packed into (section 4.2.5.2)."""
    octets: list[list[str]] = []
    previous: WireType | None = None
    for name, wire_type in described.fields:
        if wire_type is WireType.BIT:
            if previous is not WireType.BIT or len(octets[-1]) == 8:
                octets.append([])
            octets[-1].append(name)
        previous = wire_type
    return octets


def _encode_source(described: Method) -> str:
    names = [name for name, _ in described.fields]
    lines = [f"def encode({', '.join(names)}):"]
    if not names:
        return "\n".join([*lines, f"    return {_ids(described).to_bytes(4, 'big')!r}", ""])
    pieces, checks = [], []
    for kind, letters, members in _runs(described, with_ids=True):
        if kind == "struct":
            values = ", ".join(_encoded_member(described, member) for member in members)
            pieces.append(f"pack_{letters}({values})")
        elif kind == "shortstr":
            (name,) = members
            checks += [
                f"        octets_of_{name} = {name}.encode()",
                f"        size_of_{name} = len(octets_of_{name})",
            ]
            pieces.append(f"octets_of_{name}")
        elif kind == "longstr":
            (name,) = members
            checks += [
                f"        if not isinstance({name}, octet_strings): raise TypeError",
                f"        size_of_{name} = len({name})",
            ]
            pieces.append(name)
        else:
            (name,) = members
            pieces.append(f"encode_table({name}, {f'{described.name}: {name}'!r})")
    # Two are added, more are joined: 0.1 µs less for the six pieces of basic.publish.
    whole = " + ".join(pieces) if len(pieces) < 3 else f"b''.join(({', '.join(pieces)}))"
    lines += [
        "    try:",
        *checks,
        f"        return {whole}",
        "    except (StructError, TypeError, AttributeError, UnicodeEncodeError) as error:",
        f"        raise misfit(described, ({', '.join(names)},), error) from error",
        "",
    ]
    return "\n".join(lines)


def _ids(described: Method) -> int:
    return described.class_id << 16 | described.method_id


def _encoded_member(described: Method, member: str) -> str:
    if member == "ids":
        return str(_ids(described))
    if member == "reserved":
        return "0"
    if member.startswith("bits"):
        bits = _octets_of_bits(described)[int(member[4:]) - 1]
        flags = [f"({1 << i} if {name} else 0)" for i, name in enumerate(bits)]
        return " | ".join(flags)
    return member


def _decode_source(described: Method) -> str:
    lines = ["def decode(data, i, end):", "    start = i", "    try:"]
    for kind, letters, members in _runs(described, with_ids=False):
        if kind == "struct":
            size = sum(_FIXED_SIZES[letter] for letter in letters)
            lines.append(f"        {', '.join(members)}, = unpack_{letters}(data, i); i += {size}")
        elif kind == "shortstr":
            (name,) = members
            lines.append(
                f"        {name} = data[i:i + size_of_{name}].decode(); i += size_of_{name}"
            )
        elif kind == "longstr":
            (name,) = members
            lines.append(f"        {name} = bytes(data[i:i + size_of_{name}]); i += size_of_{name}")
        else:
            lines.append(f"        {members[0]}, i = read_table(data, i, end)")
    for number, bits in enumerate(_octets_of_bits(described), 1):
        for position, name in enumerate(bits):
            lines.append(f"        {name} = bits{number} & {1 << position} != 0")
    names = [name for name, _ in described.fields]
    lines += [
        "        if i == end:",
        f"            return new(parameters, ({''.join(f'{name}, ' for name in names)}))",
        "    except UnicodeDecodeError as error:",
        "        if i + len(error.object) <= end:",
        "            raise malformed_string() from error",
        "        raise malformed(described, data[start:end]) from error",
        "    except (StructError, IndexError) as error:",
        "        raise malformed(described, data[start:end]) from error",
        "    except AttributeError:",  # slices of a memoryview have no `decode`
        "        return decode(bytes(data[start:end]), 0, end - start)",
        "    raise malformed(described, data[start:end])",
        "",
    ]
    return "\n".join(lines)


_SOURCES: Final[dict[str, Callable[[Method], str]]] = {
    "encode": _encode_source,
    "decode": _decode_source,
}


# --- what went wrong -----------------------------------------------------------------------

_LONGEST_SHOWN: Final = 255  # octets: no more would fit in a reply text
_LIMITS = {WireType.OCTET: 8, WireType.SHORT: 16, WireType.LONG: 32, WireType.LONGLONG: 64}


def misfit(described: Method, arguments: Parameters, error: Exception) -> EncodeError:
    """Return the error for the parameter that could not be encoded, once it is known that one is."""
    for (name, wire_type), value in zip(described.fields, arguments, strict=True):
        complaint = _complaint(name, wire_type, value)
        if complaint is not None:
            return EncodeError(f"{described.name}: {complaint}")
    return EncodeError(f"{described.name}: cannot encode its parameters: {error}")


def _complaint(name: str, wire_type: WireType, value: object) -> str | None:
    if wire_type in _LIMITS:
        bits = _LIMITS[wire_type]
        if not is_unsigned(value, bits):
            return f"{name} is {show(value)}; expected an integer from 0 to {(1 << bits) - 1}"
    elif wire_type is WireType.SHORTSTR:
        if not isinstance(value, str):
            return f"{name} is {show(value)}; expected a str"
        try:
            value.encode()
            encode_short_string(value, name)
        except UnicodeEncodeError:
            return f"{name} cannot be encoded as UTF-8: {show(value)}"
        except EncodeError as error:
            return str(error)
    elif wire_type is WireType.LONGSTR and not isinstance(value, bytes | bytearray):
        # Not quoted: most long strings are secrets.
        return f"{name} is of type {type(value).__name__}; expected bytes"
    return None


def malformed(described: Method, octets: Octets | memoryview) -> ProtocolError:
    """Return the error for parameters that are cut short or go on too long."""
    return FrameError(
        f"cannot decode {show_octets(bytes(octets[:_LONGEST_SHOWN]))}",
        described.id,
        f"{described.name}: its {len(octets)} octets of parameters are cut short or too long",
    )


def malformed_string() -> ProtocolError:
    """Return the error for a method's short string that is not UTF-8."""
    return FrameError(
        "Malformed UTF-8 in shortstr", explanation="a short string (shortstr) is not UTF-8"
    )
