"""Restoring: what a new connection declares, opens and starts again of what the lost one had.

`connection.py` does it for a whole connection: `replay.py` declares the topology on private
channels (`lanes.py`), `channels.py` opens the caller's channels with their consumers, and
`handover.py` puts them under the caller's objects. `stragglers.py` retries in the background what
has to wait, and `reviving.py` brings back what ends while its connection goes on. `remedies.py`
decides what is done about an entity that the server refuses.
"""
