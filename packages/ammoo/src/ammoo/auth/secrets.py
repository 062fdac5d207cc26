"""Encoding a password or token without showing it in an error.

Python's UnicodeEncodeError holds the whole text that it could not encode, and a report of the error
shows it.
"""

__all__ = ["encode_secret"]


def encode_secret(text: str, name: str, encoding: str = "utf-8") -> bytes:
    """Encode a secret.

    Args:
        text: The secret.
        name: The name of the argument, for errors.
        encoding: The encoding.

    Raises:
        TypeError: The secret is not a str.
        ValueError: The secret holds a character that cannot be encoded. Neither the error nor its
            context holds the text.
    """
    if not isinstance(text, str):
        raise TypeError(f"{name} is of type {type(text).__name__}; expected a str")
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        pass  # the error is raised below, without this one as its context
    raise ValueError(f"{name} holds a character that cannot be encoded as {encoding}")
