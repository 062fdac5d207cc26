"""Documented path of `ammoo_wire.frames.header`."""

from ammoo_wire.frames.header import BasicHeaderProperties

__all__ = ["BasicHeaderProperties"]
