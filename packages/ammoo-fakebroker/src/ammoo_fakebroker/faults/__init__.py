"""Scripted faults: what a test does to the traffic, how often, and to whose.

`Faults` (`face.py`) is what a test holds, as ``broker.faults``. A fault is a rule (`rules.py`): what
it strikes (`occasions.py`), how often (`limits.py`), and what it does then, which the other rooms
say: one each for publishes, confirms, deliveries, methods, connections and octets.
"""
