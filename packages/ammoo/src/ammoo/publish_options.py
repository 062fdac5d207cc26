"""Converting the arguments of `Channel.publish` to the parts of a message.

This module knows the documented arguments, and their effects on routing key, properties and body. It
knows no channel, and sends nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, TypeVar, Union

from ammoo_wire import BasicHeaderProperties, EncodeError, FieldValue, encode_property_values

from .content_encodings import is_no_encoding
from .python_values import as_milliseconds, spell_uuids

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

__all__ = [
    "NOT_GIVEN",
    "Body",
    "Expiration",
    "Identifier",
    "MessageOptions",
    "NotGiven",
    "Outgoing",
    "PublishOptions",
    "RoutingKeys",
    "outgoing",
    "resolve_persistent",
    "takes_publish_options",
]

_FunctionT = TypeVar("_FunctionT", bound=Callable[..., object])

Body = str | bytes | bytearray
# Not with a bar: `datetime` and `uuid` are imported only by programs that use them.
Expiration = Union[int, str, "timedelta"]
Identifier = Union[str, "UUID"]
RoutingKeys = str | Sequence[str]


class NotGiven(Enum):
    """The default of arguments for which None is a valid value."""

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: Final = NotGiven.NOT_GIVEN


class MessageOptions(TypedDict, total=False):
    """The keyword arguments of `Channel.publish` except `json`, for functions that pass them on."""

    mandatory: bool
    immediate: bool
    encoding: str | None
    correlation_id: Identifier | None
    reply_to: str | None
    expiration: Expiration | None
    cc: RoutingKeys | None
    bcc: RoutingKeys | None
    priority: int | None
    delivery_mode: int | None
    persistent: bool | None
    timestamp: "datetime | int | None"
    content_encoding: str | bool | None
    content_type: str | bool | None
    message_id: Identifier | None
    type_: str | None
    type: str | None
    user_id: str | None
    app_id: str | None
    cluster_id: str | None
    headers: Mapping[str, FieldValue] | None
    raise_returned: bool


class PublishOptions(MessageOptions, total=False):
    """All keyword arguments of `Channel.publish`."""

    json: object
    """A value to send as JSON, in place of a body."""


class Outgoing(NamedTuple):
    """A message that is ready to be sent."""

    routing_key: str
    properties: bytes
    """Encoded."""
    body: bytes | bytearray
    mandatory: bool = False
    """The bit of basic.publish; raise_returned sets it, too."""
    immediate: bool = False
    raise_returned: bool = False


_FLAGS: Final = ("mandatory", "immediate", "raise_returned")

_OPTIONS: Final = PublishOptions.__optional_keys__
_TRANSLATED: Final = _OPTIONS - {*BasicHeaderProperties._fields} | {
    "content_encoding",
    "expiration",
}
"""The options that are converted before they are sent, at least in some cases; content_type is, too."""

_TRANSIENT: Final = 1
_PERSISTENT: Final = 2


def outgoing(
    caller: str,
    route: str | Mapping[str, FieldValue],
    body: Body | NotGiven,
    body_encoding: str,
    options: PublishOptions,
) -> Outgoing:
    """Return the message that the arguments of `Channel.publish` describe.

    Args:
        caller: The name of the function that was called, for errors.
        route: The routing key, or headers.
        body: The body.
        body_encoding: The channel's encoding.
        options: The keyword arguments.

    Raises:
        TypeError: An argument has a wrong type, or is unknown; or both body and json are given, or
            neither is.
        ValueError: A value cannot be sent.
        LookupError: An encoding is unknown.
    """
    mode = options.get("delivery_mode")
    if mode is not None and mode is not _PERSISTENT and mode is not _TRANSIENT:
        _check_delivery_mode(mode)
    # Most messages have a body of bytes, a routing key, and properties that need no conversion.
    if (
        isinstance(body, bytes)
        and isinstance(route, str)
        and _TRANSLATED.isdisjoint(options)
        and not isinstance(options.get("content_type"), bool)
    ):
        try:
            encoded = encode_property_values(**options)  # type: ignore[misc,arg-type]  # see above
        except TypeError:
            _raise_if_unknown(caller, options)
            raise
        except EncodeError:
            properties: dict[str, Any] = {**options}
            if not spell_uuids(properties):
                raise
            encoded = encode_property_values(**properties)
        # Without NamedTuple's own __new__: 90 ns instead of 180.
        return tuple.__new__(Outgoing, (route, encoded, body, False, False, False))
    _raise_if_unknown(caller, options)
    if "persistent" in options:
        resolve_persistent(options)
    properties = {**options}
    spell_uuids(properties)
    mandatory, immediate, raise_returned = (properties.pop(name, False) for name in _FLAGS)
    octets = _pop_body(body, body_encoding, properties)
    routing_key = _pop_route(route, properties)
    if properties.get("expiration") is not None:
        properties["expiration"] = _expiration(properties["expiration"])
    same = properties.pop("type", None)
    if same is not None:
        if properties.get("type_", same) not in (same, None):
            raise TypeError(
                f"type_ is {properties['type_']!r} and type is {same!r}; they are the same property:"
                " give one of them"
            )
        properties["type_"] = same
    return Outgoing(
        routing_key,
        encode_property_values(**properties),
        octets,
        mandatory or raise_returned,
        immediate,
        raise_returned,
    )


def _raise_if_unknown(caller: str, options: PublishOptions) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(f"{caller}() got an unexpected keyword argument {name!r}") from None


_SHOWN_OPTIONS: Final = [
    Parameter(
        name,
        Parameter.KEYWORD_ONLY,
        default=NOT_GIVEN if name == "json" else False if name in _FLAGS else None,
        annotation=getattr(annotation, "__forward_arg__", annotation),
    )
    for name, annotation in (
        ("json", PublishOptions.__annotations__["json"]),
        *MessageOptions.__annotations__.items(),
    )
]


def takes_publish_options(function: _FunctionT) -> _FunctionT:
    """Show each of the `PublishOptions` in a function's signature (help, inspect).

    If the function had all of them as parameters, Python would set each in every call, and an
    unconfirmed publish would take a quarter longer (bench:replay).
    """
    shown = signature(function)
    parameters = [each for each in shown.parameters.values() if each.kind != each.VAR_KEYWORD]
    function.__signature__ = shown.replace(  # type: ignore[attr-defined]  # inspect looks for it
        parameters=[*parameters, *_SHOWN_OPTIONS]
    )
    return function


def _pop_body(
    body: Body | NotGiven, body_encoding: str, options: dict[str, Any]
) -> bytes | bytearray:
    """Return the octets of the body; remove all options but properties."""
    json, encoding = options.pop("json", NOT_GIVEN), options.pop("encoding", None)
    content_type, content_encoding = options.get("content_type"), options.get("content_encoding")
    used_encoding = encoding or (
        content_encoding
        if isinstance(content_encoding, str) and not is_no_encoding(content_encoding)
        else body_encoding
    )
    octets, natural_content_type = _encode_body(body, json, used_encoding)
    if isinstance(content_type, bool):
        options["content_type"] = natural_content_type if content_type else None
    if isinstance(content_encoding, bool):
        options["content_encoding"] = used_encoding if content_encoding else None
    return octets


def _encode_body(
    body: Body | NotGiven, json: object, encoding: str
) -> tuple[bytes | bytearray, str]:
    """Return the octets of the body, and the content type for this kind of body."""
    if json is not NOT_GIVEN:
        if body is not NOT_GIVEN:
            raise TypeError("both body and json are given; give one of them")
        from json import dumps  # 1.4 ms at import

        return _encode_text(dumps(json), encoding), "application/json"
    if isinstance(body, bytes | bytearray):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return _encode_text(body, encoding), "text/plain"
    if body is NOT_GIVEN:
        raise TypeError("Either body or json must be given")
    raise TypeError(
        f"body is of type {type(body).__name__}; expected a str, bytes or bytearray; for another value"
        " pass json="
    )


class _UnknownEncoding(ValueError, LookupError):
    """Python has no such encoding; `str.encode` raises only a LookupError."""


def _encode_text(text: str, encoding: str) -> bytes:
    """Return the octets of a text.

    Raises:
        ValueError: Python has no such encoding for text, or it has no octets for the text.
    """
    try:
        return text.encode(encoding)
    except LookupError:
        raise _UnknownEncoding(
            f"the encoding is {encoding!r}; expected one that Python encodes text with, such as"
            " 'utf-8'"
        ) from None


def _pop_route(route: str | Mapping[str, FieldValue], options: dict[str, Any]) -> str:
    """Return the routing key; move the headers of a headers exchange to the options."""
    headers = options.get("headers")
    if isinstance(route, str):
        routing_key = route
    elif isinstance(route, Mapping):
        routing_key, headers = "", {**(headers or {}), **route}
    else:
        raise TypeError(f"route is {route!r}; expected a str, or a mapping for a headers exchange")
    for option, name in (("cc", "CC"), ("bcc", "BCC")):
        keys = options.pop(option, None)
        if keys is not None:
            headers = {**(headers or {}), name: _listed(option, keys)}
    options["headers"] = headers
    return routing_key


def _listed(option: str, keys: RoutingKeys) -> list[str]:
    """Return further routing keys as a list.

    Raises:
        TypeError: One of them is no str: RabbitMQ would ignore it without a word.
    """
    listed = [keys] if isinstance(keys, str) or not isinstance(keys, Iterable) else list(keys)
    if not all(isinstance(key, str) for key in listed):
        raise TypeError(f"{option} is {keys!r}; expected a str, or a sequence of them")
    return listed


def resolve_persistent(options: PublishOptions) -> None:
    """Replace the option `persistent` by the delivery mode that it stands for.

    Raises:
        TypeError: The value is not a bool, or another delivery mode is given, too.
    """
    persistent = options.pop("persistent", None)
    if persistent is None:
        return
    if not isinstance(persistent, bool):
        raise TypeError(f"persistent is {persistent!r}; expected True or False")
    mode = _PERSISTENT if persistent else _TRANSIENT
    if options.get("delivery_mode", mode) not in (mode, None):
        raise TypeError(
            f"persistent={persistent!r} is delivery_mode={mode}; give one of them, not"
            f" delivery_mode={options['delivery_mode']!r} too"
        )
    options["delivery_mode"] = mode


def _expiration(value: Expiration) -> str:
    if isinstance(value, str):
        return value
    return str(as_milliseconds(value, "expiration", " or a str"))


def _check_delivery_mode(value: object) -> None:
    """Raise unless a delivery mode is 1 or 2; members of an IntEnum are allowed.

    Raises:
        ValueError: The delivery mode is another number: RabbitMQ 3.10 would close the channel, and
            4.0 would lose the message when it restarts.
    """
    if isinstance(value, bool) or value not in (_TRANSIENT, _PERSISTENT):
        raise ValueError(
            f"delivery_mode is {value!r}; expected 2 (persistent) or 1 (transient, as None is)"
        )
