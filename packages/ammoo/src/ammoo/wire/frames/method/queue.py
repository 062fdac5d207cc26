"""Documented path of `ammoo_wire.frames.method.queue`."""

from ammoo_wire.frames.method.queue import QueueDeclareOkParameters

__all__ = ["QueueDeclareOkParameters"]
