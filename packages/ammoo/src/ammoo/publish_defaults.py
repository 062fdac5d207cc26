"""The default options with which a channel publishes messages."""

from collections.abc import Mapping
from typing import Final

from ammoo_wire import NO_PROPERTIES, FieldValue

from .publish_options import (
    Body,
    NotGiven,
    Outgoing,
    PublishOptions,
    outgoing,
    resolve_persistent,
)

__all__ = ["NO_DEFAULTS", "PublishDefaults"]


class PublishDefaults:
    """Default options of `Channel.publish`.

    Args:
        options: The options; empty for none.
        body_encoding: The channel's.

    Attributes:
        properties: The properties of a message without options whose body is bytes, encoded; None
            if such a message has more than properties.

    Raises:
        TypeError, ValueError: As in `Channel.publish`.
    """

    __slots__ = ("_body_encoding", "_of_replies", "_options", "properties")

    def __init__(self, options: PublishOptions, body_encoding: str) -> None:
        self.properties: bytes | None = NO_PROPERTIES
        if options:
            resolve_persistent(options)
            message = outgoing("channel", "", b"", body_encoding, {**options})
            has_flags = message.mandatory or message.immediate
            self.properties = None if has_flags else message.properties
        self._body_encoding = body_encoding
        self._options = options
        self._of_replies: PublishOptions = {**options}
        self._of_replies.pop("mandatory", None)
        self._of_replies.pop("immediate", None)
        self._of_replies.pop("raise_returned", None)

    def outgoing(
        self,
        caller: str,
        route: str | Mapping[str, FieldValue],
        body: Body | NotGiven,
        options: PublishOptions,
    ) -> Outgoing:
        """Return the message that the arguments of a method describe; see `publish_options.outgoing`."""
        if (
            not options
            and isinstance(body, bytes)
            and isinstance(route, str)
            and self.properties is not None
        ):
            return tuple.__new__(Outgoing, (route, self.properties, body, False, False, False))
        if self._options:
            options = self._complete(options)
        return outgoing(caller, route, body, self._body_encoding, options)

    def _complete(self, options: PublishOptions) -> PublishOptions:
        """Return the options of a message, completed with the defaults."""
        resolve_persistent(options)
        return {**self._options, **options}

    def complete_reply(self, options: PublishOptions) -> PublishOptions:
        """Return the options of a reply; `mandatory`, `immediate` and `raise_returned` do not apply.

        RabbitMQ up to 4.0 returns a mandatory message that it has delivered by direct reply-to.
        """
        if not self._of_replies:
            return options
        resolve_persistent(options)
        return {**self._of_replies, **options}


NO_DEFAULTS: Final = PublishDefaults({}, "utf-8")
