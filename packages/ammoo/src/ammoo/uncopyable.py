"""Refusing to copy or pickle what belongs to a connection of this process.

A copy would have the same socket, and a copy of a `Connection` that is dropped would close it. The
copy of a message, a channel or a consumer with `copy.deepcopy` would copy the event loop.
"""

from typing import NoReturn, SupportsIndex

__all__ = ["Uncopyable"]


class Uncopyable:
    """The base of classes whose objects can be neither copied nor pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse: copy and pickle call it, `copy.deepcopy` and pickle also with what holds it.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled; so what belongs to it, such as a"
            " channel or a received message, cannot be pickled, nor copied with copy.deepcopy; take"
            " what is needed from it, such as message.body and message.properties"
        )
