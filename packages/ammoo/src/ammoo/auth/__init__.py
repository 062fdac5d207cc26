"""How to log in: mechanisms, and what chooses one of them.

`ammoo.auth.abc` has the two bases to subclass; `connect` takes either kind as ``auth=``.
"""
