"""Refusing to copy or pickle objects that belong to a connection of this process.

A copy would have the same socket, and a copy of a `Connection` that is dropped would close it. The
copy of a message, a channel or a consumer with `copy.deepcopy` would copy the event loop.
"""

from typing import NoReturn, SupportsIndex

__all__ = ["Uncopyable"]


class Uncopyable:
    """The base of classes whose objects can be neither copied nor pickled."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        """Refuse: copy and pickle call this method, also for objects that hold this one.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled, and neither can objects that belong"
            " to it, such as channels and received messages (pickle, copy.deepcopy); take the values"
            " that you need, such as message.body and message.properties"
        )
