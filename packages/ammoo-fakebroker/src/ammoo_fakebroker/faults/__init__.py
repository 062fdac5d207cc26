"""Scripted faults: what a test does to the traffic, to whose traffic, and how often.

A test uses `Faults` (`faults.py`) as ``broker.faults``. A fault (`fault.py`) is in force until it is
removed. `matching.py` decides which occasions (`occasions.py`) it strikes, and how often
(`limits.py`). The other rooms define what it does: one each for publishes, confirms, deliveries,
methods, connections and octets.
"""
