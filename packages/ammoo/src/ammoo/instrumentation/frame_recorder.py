"""A recorder of the last frames in both directions, which a protocol error shows.

The cause of a protocol error is usually in the frames before it. The recorder leaves out
passwords.
"""

from collections import deque
from typing import Any

from ammoo_wire import ClientProtocol, Command, Conversation

__all__ = ["FrameRecorder", "RecordingProtocol"]


class FrameRecorder:
    """The last commands and heartbeats of a connection, each as a line of text.

    Args:
        size: How many it keeps.
    """

    def __init__(self, size: int) -> None:
        self._conversation = Conversation(skip_broken=True)
        self._lines: deque[str] = deque(maxlen=size)

    def client_wrote(self, octets: bytes | bytearray) -> None:
        """Record octets that the client has written."""
        for said in self._conversation.receive_data("client", octets):
            self._lines.append(said.describe())

    def server_wrote(self, octets: bytes) -> None:
        """Record octets that the server has written."""
        for said in self._conversation.receive_data("server", octets):
            self._lines.append(said.describe())

    def __str__(self) -> str:
        return "\n".join(["The last frames, the newest at the end:", *self._lines])


class RecordingProtocol(ClientProtocol):
    """The client's side of a connection, which also records all octets.

    Args:
        recorder: The recorder.
        options: The keyword arguments of `ClientProtocol`.
    """

    def __init__(self, recorder: FrameRecorder, **options: Any) -> None:
        super().__init__(**options)
        self._recorder = recorder
        self._buffer = memoryview(b"")

    def get_buffer(self, sizehint: int = -1) -> memoryview:
        """Return the buffer that the next octets are read into."""
        self._buffer = super().get_buffer(sizehint)
        return self._buffer

    def buffer_updated(self, count: int) -> list[Command]:
        """Record and process octets that were read into the buffer."""
        self._recorder.server_wrote(bytes(self._buffer[:count]))
        self._buffer = memoryview(b"")
        return super().buffer_updated(count)

    def data_to_send(self) -> bytearray:
        """Record and return the octets to write."""
        octets = super().data_to_send()
        self._recorder.client_wrote(octets)
        return octets
