"""Scripted faults: what a test does to the traffic, to whose traffic, and how often.

A test uses `Faults` (`face.py`) as ``broker.faults``. A fault is a rule (`rules.py`) that decides
which occasions it strikes (`occasions.py`), and how often (`limits.py`). The other rooms define what
it does: one each for publishes, confirms, deliveries, methods, connections and octets.
"""
