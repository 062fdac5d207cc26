"""Clocks: where a broker's time comes from, and the ways to move it.

`clock.py` has the clock that a test moves, `auto_advance.py` moves it while the brokers are idle,
`loop_clock.py` is the time of the event loop, and `virtual_time.py` a loop whose time jumps.
"""
