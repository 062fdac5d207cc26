"""Logging in: mechanisms, and objects that choose a mechanism.

`ammoo.auth.abc` has the two bases to subclass; `connect` takes either kind as ``auth=``.
"""
