"""`Event`: one thing that happened in a broker."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ..attribute_names import names_attributes
from .event_fields import EventFields
from .texts import describe

__all__ = ["Event", "plain"]


@names_attributes
class Event(EventFields):
    """One thing that happened in the broker.

    An attribute that does not apply to this kind of event is None.

    Attributes:
        number: The place in the history; the first event of a broker is 1.
        kind: What happened, such as ``"published"``.
        time: When, in seconds since the broker was created.
        connection: The name of the connection: the ``connection_name`` that the client has given,
            or RabbitMQ's name for it.
        peer_name: RabbitMQ's name for it, such as ``127.0.0.1:50812 -> 127.0.0.1:5672``.
        user: The user who is logged in on that connection.
        virtualhost: The virtual host.
        channel_number: The channel.
        message_number: The message; all events of one message have the same number.
        exchange_name: The exchange that was published to, declared or bound.
        routing_key: The routing key.
        queue_name: The queue.
        queue_names: The queues that a message was routed to.
        consumer_tag: The consumer.
        delivery_tag: The delivery tag.
        redelivered: Whether the message was delivered before.
        reason: Why, such as ``"expired"``.
        by: The side that ended a channel or a connection: ``"client"``, ``"broker"`` or
            ``"network"``.
        code: The reply code of a close or a return.
        text: The reply text of a close or a return.
        fault: The fault that struck, in the words of the call that made it.
        details: All other recorded attributes of this kind of event, by their names.
        body, body_size, properties, headers: The message's body, its size in octets, the properties
            and the headers.
    """

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and (self.number, self.details) == (
            other.number,
            other.details,
        )

    def __hash__(self) -> int:
        return hash(self.number)

    def json(self) -> Any:
        """Return the body, decoded as JSON.

        Raises:
            ValueError: The body is not JSON, or the event is not about a message.
        """
        if self._message is None:
            raise ValueError(f"event {self.number} ({self.kind}) has no body")
        return json.loads(bytes(self._message.body))

    def as_dict(self) -> dict[str, Any]:
        """Return the event as a dictionary of values that `json.dumps` accepts.

        A body that is not UTF-8 is the dictionary ``{"base64": …}``.
        """
        known = {name: value for name, value in vars(self).items() if name[0] != "_"}
        known.pop("properties", None)  # cached if it was read before
        known |= known.pop("details")
        if self._message is not None:
            known["body"] = bytes(self._message.body)
            known["properties"] = {
                name: value
                for name, value in self.properties._asdict().items()
                if value is not None
            }
        return {name: plain(value) for name, value in known.items() if value is not None}


def plain(value: Any) -> Any:
    """Return a value of a field table or an event as a type that JSON has."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        octets = bytes(value)
        try:
            return octets.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(octets).decode()}
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)
