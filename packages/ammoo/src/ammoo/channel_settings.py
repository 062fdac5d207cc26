"""The settings of a channel: prefetch limits, confirm mode, transactions, flow, publish defaults.

`Channel` keeps them. Recovery applies them again to another `LiveChannel`.
"""

from typing import NamedTuple

from .live.channel import LiveChannel
from .publish_defaults import NO_DEFAULTS, PublishDefaults

__all__ = ["ChannelSettings", "Prefetch"]


class Prefetch(NamedTuple):
    """The limits of a basic.qos."""

    prefetch_size: int
    """In octets; 0 for no limit."""
    prefetch_count: int
    """In messages; 0 for no limit."""


class ChannelSettings:
    """The settings that the server has accepted on a channel, and the channel's defaults.

    Attributes:
        prefetch: The limits for each consumer that is started from now on; None if none were
            set. A running consumer keeps the limits with which it was started.
        publish_defaults: Default options of messages.
        shared_prefetch: The limits for all consumers of the channel together (``global_``).
        confirms: Whether the channel is in confirm mode.
        transactions: Whether the channel has transactions.
        flow_active: Whether the server may deliver to consumers (channel.flow).
    """

    __slots__ = (
        "confirms",
        "flow_active",
        "prefetch",
        "publish_defaults",
        "shared_prefetch",
        "transactions",
    )

    def __init__(
        self,
        prefetch: Prefetch | None = None,
        publish_defaults: PublishDefaults = NO_DEFAULTS,
    ) -> None:
        self.prefetch = prefetch
        self.publish_defaults: PublishDefaults = publish_defaults
        self.shared_prefetch: Prefetch | None = None
        self.confirms: bool = False
        self.transactions: bool = False
        self.flow_active: bool = True

    def set_prefetch(self, prefetch: Prefetch, global_: bool) -> None:
        """Record the limits of a basic.qos that the server has accepted."""
        if global_:
            self.shared_prefetch = prefetch
        else:
            self.prefetch = prefetch

    async def apply(self, live: LiveChannel) -> None:
        """Apply the settings to a channel that has just been opened.

        Raises:
            ServerClosedChannel, ServerClosedConnection: The server refused.
            OperationTimeout: The server did not answer in time.
        """
        live.publish_defaults = self.publish_defaults
        if self.transactions:
            await live.select_transactions()
        if self.confirms:
            await live.select_confirm()
        if self.shared_prefetch is not None:
            await live.set_prefetch(*self.shared_prefetch, True)
        if self.prefetch is not None:
            await live.set_prefetch(*self.prefetch, False)
        if not self.flow_active:
            await live.set_flow(False)
