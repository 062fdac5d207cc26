"""Restoring: what a new connection declares, opens and starts again of what the lost one had.

`replay.py` declares the topology on private channels (`lanes.py`), `channels.py` opens the caller's
channels with their consumers, `stragglers.py` retries in the background what has to wait, and
`reviving.py` brings back what ends while its connection goes on. `remedies.py` decides what is
done about an entity that the server refuses.
"""
