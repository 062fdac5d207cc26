"""How RabbitMQ closes a channel over something that several test modules meet."""

from ammoo_wire import ChannelCloseParameters


def no_exchange(name: str, *ids: int) -> ChannelCloseParameters:
    return ChannelCloseParameters(404, f"NOT_FOUND - no exchange '{name}' in vhost '/'", *ids)


def no_queue(name: str, *ids: int) -> ChannelCloseParameters:
    return ChannelCloseParameters(404, f"NOT_FOUND - no queue '{name}' in vhost '/'", *ids)


def locked(name: str, *ids: int) -> ChannelCloseParameters:
    text = (
        f"RESOURCE_LOCKED - cannot obtain exclusive access to locked queue '{name}' in vhost '/'."
        " It could be originally declared on another connection or the exclusive property value"
        " does not match that of the original declaration."
    )
    return ChannelCloseParameters(405, as_reply_text(text), *ids)


def as_reply_text(text: str) -> str:
    """Cut a text as RabbitMQ does, which keeps 252 octets of one that is too long."""
    return text if len(text.encode()) <= 255 else f"{text[:252]}..."
