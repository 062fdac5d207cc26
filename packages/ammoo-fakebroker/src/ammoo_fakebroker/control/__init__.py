"""The control API: what a test does with a `FakeBroker`, over HTTP.

Programs in other languages run the broker as a command; with this API, below ``/fake/`` on the
management port, they have a fixture as well: faults, the history with waits, the clock, a restart.
Nothing of this is imported unless it is asked for.
"""
