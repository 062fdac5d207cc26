"""The control API: the methods of a `FakeBroker` that a test uses, over HTTP.

Programs in other languages run the broker as a command. With this API, below ``/fake/`` on the
management port, they can use faults, the history with waits, the clock and restarts. This package is
imported only for brokers with `control`.
"""
