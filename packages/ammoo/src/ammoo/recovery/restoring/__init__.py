"""Restoring the entities, channels and consumers of a lost connection on a new one.

`connection.py` does it for a whole connection: `topology_replay.py` declares the topology on private
channels (`pipelines.py`), `channels.py` opens the caller's channels with their consumers, and
`handover.py` puts them under the caller's objects. `stragglers.py` retries in the background
the entities that have to wait, and `reviving.py` brings back channels and consumers that end while
their connection stays open. `remedies.py`
decides what recovery does about an entity that the server refuses, and `locked_pauses.py` how long
it pauses for a locked queue.
"""
