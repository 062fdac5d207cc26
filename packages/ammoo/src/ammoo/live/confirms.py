"""Outstanding publish sequence numbers: which messages the server has not confirmed yet.

The server confirms in any order, one message at a time or all up to a number
(https://www.rabbitmq.com/docs/confirms). A dictionary by number, and the lowest number
that may be in it, make one confirm O(1), and many at once O(1) each.

Each number has a token of the caller's, which this module does not look at.
"""

from typing import Generic, TypeVar

__all__ = ["Confirms"]

_TokenT = TypeVar("_TokenT")


class Confirms(Generic[_TokenT]):
    """The messages that are not confirmed, by their sequence numbers."""

    __slots__ = ("_lowest", "_tokens", "next_number")

    def __init__(self) -> None:
        self._tokens: dict[int, _TokenT] = {}
        self._lowest = 1  # no number below it is outstanding
        self.next_number: int = 1
        """The sequence number of the next message."""

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def lowest(self) -> int:
        """The lowest number that is not confirmed; that of the next message if all are."""
        return next(iter(self._tokens), self.next_number)

    def add(self, token: _TokenT) -> int:
        """Record that the next message was sent, and return its number."""
        number = self.next_number
        self.next_number = number + 1
        self._tokens[number] = token
        return number

    def settle(self, number: int, multiple: bool) -> list[tuple[int, _TokenT]]:
        """Remove the messages that a confirm names, in the order of sending.

        Args:
            number: The message's number; with `multiple`, 0 means all.
            multiple: Whether the confirm is for all messages up to the number.

        Returns:
            Numbers and tokens; none if the server repeats a confirm.

        Raises:
            ValueError: No such message was sent.
        """
        if not (0 < number < self.next_number or (number == 0 and multiple)):
            raise ValueError(
                f"message {number} was confirmed; {self.next_number - 1} were sent on the channel"
            )
        tokens = self._tokens
        if not multiple:
            token = tokens.pop(number, None)
            if number == self._lowest:
                self._lowest = number + 1
            return [] if token is None else [(number, token)]
        settled = []
        for each in range(self._lowest, (number or self.next_number - 1) + 1):
            token = tokens.pop(each, None)
            if token is not None:
                settled.append((each, token))
        self._lowest = max(self._lowest, (number or self.next_number - 1) + 1)
        return settled

    def tokens(self) -> list[_TokenT]:
        """Return the tokens of all messages that are not confirmed; they stay so."""
        return list(self._tokens.values())

    def take_all(self) -> list[_TokenT]:
        """Remove all messages, and return their tokens: no confirm will come."""
        tokens = list(self._tokens.values())
        self._tokens.clear()
        return tokens
