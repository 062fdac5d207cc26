"""Whose time a profile counts."""

import asyncio
import selectors

import ammoo_wire
from ammoo import channel
from benchmarks.profile import Function, Spent, owner, parts

CLIENT: Function = (channel.__file__, 1, "publish")
CODEC: Function = ("<ammoo_wire encode basic.ack>", 1, "encode")
LEN: Function = ("~", 0, "<built-in method builtins.len>")
SEND: Function = ("~", 0, "<method 'send' of '_socket.socket' objects>")


def spent(own: float, **callers: float) -> Spent:
    by_caller = {
        {"client": CLIENT, "codec": CODEC}[name]: (1, 1, seconds, seconds)
        for name, seconds in callers.items()
    }
    return Spent(1, 1, own, own, by_caller)


def test_owner_is_told_by_the_file() -> None:
    assert "ammoo" == owner(CLIENT)
    assert "ammoo_wire" == owner(CODEC) == owner((ammoo_wire.__file__, 1, "f"))
    assert "asyncio" == owner((asyncio.__file__, 1, "f")) == owner((selectors.__file__, 1, "f"))
    assert "calls of the kernel" == owner(SEND)
    assert "others" == owner(("/somewhere/else.py", 1, "f"))


def test_built_in_functions_are_on_their_callers_account() -> None:
    profile = {
        CLIENT: spent(3e-6),
        LEN: spent(3e-6, client=1e-6, codec=2e-6),
        SEND: spent(5e-6, client=5e-6),
    }

    assert {"ammoo": 4000, "ammoo_wire": 2000, "calls of the kernel": 5000} == parts(profile)
