"""Hashes of passwords as RabbitMQ writes them: the salt and the digest of salt and password.

See https://www.rabbitmq.com/docs/passwords
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b64decode, b64encode

__all__ = ["ALGORITHMS", "SHA_256", "hash_password", "is_password_of"]

SHA_256 = "rabbit_password_hashing_sha256"
ALGORITHMS = {
    SHA_256: "sha256",
    "rabbit_password_hashing_sha512": "sha512",
    "rabbit_password_hashing_md5": "md5",
}
"""The digests by RabbitMQ's names of algorithms."""
_SALT_SIZE = 4


def hash_password(password: str, salt: bytes | None = None, algorithm: str = SHA_256) -> str:
    """Return the hash of a password.

    Args:
        password: The password.
        salt: Four octets; None for random ones.
        algorithm: One of `ALGORITHMS`.
    """
    salt = secrets.token_bytes(_SALT_SIZE) if salt is None else salt
    digest = hashlib.new(ALGORITHMS[algorithm], salt + password.encode(), usedforsecurity=False)
    return b64encode(salt + digest.digest()).decode()


def is_password_of(password_hash: str, password: str, algorithm: str = SHA_256) -> bool:
    """Return whether a hash belongs to a password; an empty hash belongs to none."""
    try:
        salt = b64decode(password_hash, validate=True)[:_SALT_SIZE]
    except ValueError:
        return False
    return bool(password_hash) and secrets.compare_digest(
        hash_password(password, salt, algorithm).encode(), password_hash.encode()
    )
