"""Hashes of passwords as RabbitMQ writes them: the salt and the SHA-256 of salt and password.

See https://www.rabbitmq.com/docs/passwords
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode

__all__ = ["hash_password", "is_password_of"]

_SALT_SIZE = 4


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return the hash of a password.

    Args:
        password: The password.
        salt: Four octets; None for random ones.
    """
    salt = secrets.token_bytes(_SALT_SIZE) if salt is None else salt
    return b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def is_password_of(password_hash: str, password: str) -> bool:
    """Return whether a hash is that of a password; an empty hash is that of none."""
    try:
        salt = b64decode(password_hash, validate=True)[:_SALT_SIZE]
    except ValueError:
        return False
    return bool(password_hash) and secrets.compare_digest(
        hash_password(password, salt).encode(), password_hash.encode()
    )
