"""Restoring a connection: first the topology, then the caller's channels with their consumers."""

from collections import Counter
from collections.abc import Iterable

from ...exceptions.connection import TooManyChannels
from ...live.connection import LiveConnection
from ...topology import Topology
from ...topology_records import ConsumerRecord, Entity
from ..events import NotRestored
from ..lasting_channel import LastingChannel
from ..options import Recovery
from .channels import ChannelRestoration, restore_channels
from .topology_replay import Replay

__all__ = ["ConnectionRestoration"]


class ConnectionRestoration:
    """The restoration of one connection, before the new one is put into use.

    Args:
        live: The new connection.
        topology: The entities to restore.
        recovery: The user's options.
        suspects: How often each entity may have ended a connection.

    Attributes:
        channels: The caller's channels on the new connection.
        live: The new connection.
        replay: Knows which entities are restored, and which are not.
    """

    def __init__(
        self,
        live: LiveConnection,
        topology: Topology,
        recovery: Recovery,
        suspects: "Counter[Entity]",
    ) -> None:
        self.channels: dict[LastingChannel, ChannelRestoration] = {}
        self.live = live
        self.replay: Replay = Replay(live, topology, recovery, suspects)
        self._topology = topology
        self._suspects = suspects
        self._former_names = {queue: queue.name for queue in topology.plan().server_named_queues}

    async def run(self, channels: Iterable[LastingChannel]) -> None:
        """Restore all that can be restored at once; the rest are stragglers of `replay`.

        Raises:
            GaveUp: The server refused something, and on_error is "fail".
            ConnectionClosed, OperationTimeout: The connection is lost.
            TooManyChannels: Private channels keep the numbers of the caller's.
        """
        try:
            await self.replay.run()
            records = self._topology.consumers_by_channel()
            consumers = {channel: records.get(channel, []) for channel in channels}
            self.channels = await restore_channels(
                self.live, consumers, self.replay, self._suspects
            )
        except TooManyChannels:
            self.replay.suspect_unanswered()
            raise

    def not_restored(self) -> tuple[NotRestored, ...]:
        """Return the channels and entities that are not restored, and why."""
        closed = (
            NotRestored(channel.user_channel, restoration.error, False)
            for channel, restoration in self.channels.items()
            if restoration.error is not None
        )
        return (*closed, *self.replay.not_restored())

    def omitted_consumers(self) -> list[ConsumerRecord]:
        """Return the consumers that the user does not want restored."""
        return [
            record
            for records in self._topology.consumers_by_channel().values()
            for record in records
            if not self.replay.restores(record)
        ]

    def renamed_queues(self) -> dict[str, str]:
        """Return the present name by the former one, for each queue that the server has renamed."""
        return {
            former: queue.name
            for queue, former in self._former_names.items()
            if former != queue.name
        }
