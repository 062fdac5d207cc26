"""How a password or token becomes octets without showing in an error.

Python's own UnicodeEncodeError holds the whole text that it could not encode, and
whatever reports errors shows it.
"""

__all__ = ["encode_secret"]


def encode_secret(text: str, name: str, encoding: str = "utf-8") -> bytes:
    """Encode a secret.

    Args:
        text: The secret.
        name: What the secret is called where it is given, for errors.
        encoding: How it becomes octets.

    Raises:
        TypeError: It is no str.
        ValueError: It holds a character that cannot be encoded. Neither the error nor what it is
            chained to holds the text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} is of type {type(text).__name__}; expected a str")
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        pass  # raised below, where it is no context any more
    raise ValueError(f"{name} holds a character that cannot be encoded as {encoding}")
