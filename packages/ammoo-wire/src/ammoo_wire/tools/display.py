"""Showing the commands of connections as they are read: lines of text, or of JSON."""

import json
from typing import Any, TextIO

from ..onlookers.conversation import Conversation, Said
from .recordings import Piece

__all__ = ["Display"]


class Display:
    """Writes a line for each item that a peer sends.

    Args:
        file: The file to write to.
        as_json: Whether to write objects of JSON, for scripts.
        secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
        max_body_size: The largest body to keep, in octets; of a larger one only the size is shown.
    """

    def __init__(self, file: TextIO, *, as_json: bool, secrets: bool, max_body_size: int) -> None:
        self._file = file
        self._as_json = as_json
        self._secrets = secrets
        self._max_body_size = max_body_size
        self._conversations: dict[int, Conversation] = {}
        self._silent: dict[int, set[str]] = {}  # peers that have stopped writing

    def show(self, piece: Piece) -> list[Said]:
        """Show the items that a peer has completed with a piece, and return them."""
        if not piece.octets:
            self._show_end(piece)
            return []
        conversation = self._conversations.get(piece.connection)
        if conversation is None:
            conversation = self._conversations[piece.connection] = Conversation(
                max_body_size=self._max_body_size, skip_broken=True
            )
        said = conversation.receive_data(piece.peer, piece.octets)
        for each in said:
            head = {"connection": piece.connection, "time": piece.time}
            if self._as_json:
                self._write_json(head | each.to_json(secrets=self._secrets))
            else:
                self._write_text(piece, each.describe(secrets=self._secrets))
        self._file.flush()
        return said

    def note(self, connection: int, text: str) -> None:
        """Show a line about the connection itself."""
        if self._as_json:
            self._write_json({"connection": connection, "note": text})
        else:
            self._file.write(f"[{connection}] {text}\n")
        self._file.flush()

    def _show_end(self, piece: Piece) -> None:
        silent = self._silent.setdefault(piece.connection, set())
        if piece.peer in silent:
            return
        silent.add(piece.peer)
        self.note(piece.connection, f"the {piece.peer} stopped writing")
        if len(silent) == 2:
            self._conversations.pop(piece.connection, None)

    def _write_text(self, piece: Piece, text: str) -> None:
        time = "" if piece.time is None else f"{piece.time:.3f} "
        self._file.write(f"[{piece.connection}] {time}{text}\n")

    def _write_json(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values) + "\n")
